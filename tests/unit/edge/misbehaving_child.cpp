// A measuring process whose "network" does what the spec says, for tests of the agent.
#include "measuring_child.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"

#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include <unistd.h>

namespace {

using namespace edgeloop;

class Misbehaving final : public Runtime {
  public:
    Misbehaving(std::string behaviour, const MeasurementSettings& settings)
        : behaviour_(std::move(behaviour)) {
        if (behaviour_ == "show weights") throw ConfigError("weights: " + settings.weights);
        if (behaviour_ == "refuse") throw NetworkError("this network cannot be built");
    }
    void prepare(int) override {}
    void run() override {
        if (behaviour_ == "exit") ::_exit(7);
        if (behaviour_ == "abort") std::abort();
        if (behaviour_ == "hang")
            while (true) std::this_thread::sleep_for(std::chrono::seconds(1));
        if (behaviour_ == "allocate")
            while (true) hoard_.emplace_back(1 << 20, 'x');
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    [[nodiscard]] Metrics facts() const override { return {{"parameters", 1}}; }

  private:
    std::string behaviour_;
    std::vector<std::vector<char>> hoard_;
};

}  // namespace

int main() {
    return run_program([] {
        return measuring_process_main(
            [](const Json& spec, const MeasurementSettings& settings) {
                return std::make_unique<Misbehaving>(spec.at("behaviour"), settings);
            },
            [](const MeasurementSettings&) {}, 3);
    });
}
