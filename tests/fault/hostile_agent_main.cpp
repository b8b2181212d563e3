// An agent like edgeloop-edge whose networks are hostile, for tests of the sandbox: all but its
// runtime is the product's. A job's number (numbered_design.hpp) says which one; any other is
// honest.
//
//     hostile_agent ENDPOINT NAME USER    USER 0: stays who it is
#include "agent.hpp"
#include "measuring_child.hpp"
#include "sandbox.hpp"
#include "support/hostile_network.hpp"
#include "support/numbered_design.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/stop.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <grp.h>
#include <unistd.h>

namespace {

using namespace edgeloop;

class NumberedNetwork final : public Runtime {
  public:
    explicit NumberedNetwork(double number) {
        const auto& all = test::hostile_networks();
        const auto which = static_cast<std::size_t>(number);
        if (which >= 1 && which <= all.size()) hostile_ = &all[which - 1];
        if (hostile_ != nullptr && hostile_->while_built) act();
    }
    void prepare(int) override {}
    void run() override {
        if (hostile_ != nullptr && !hostile_->while_built) act();
        const double end = steady_seconds() + 1e-3;
        while (steady_seconds() < end) {
        }
    }
    [[nodiscard]] Metrics facts() const override { return {}; }

  private:
    void act() const {
        const std::string got = hostile_->act();
        if (!got.empty()) throw ConfigError("ESCAPED: it got " + got);
        if (hostile_->reason == "held") throw ConfigError("held");
    }

    const test::HostileNetwork* hostile_ = nullptr;
};

int serve_as(const char* endpoint, const char* name, int user) {
    if (user != 0 && (::setgroups(0, nullptr) != 0 || ::setgid(static_cast<gid_t>(user)) != 0 ||
                      ::setuid(static_cast<uid_t>(user)) != 0))
        throw IoError("cannot become the user");
    hide_memory();
    install_stop_handlers();
    ServeOptions options;
    options.link.endpoint = endpoint;
    options.link.name = name;
    options.link.device_class = "x";
    options.link.record = "{}";
    options.link.max_back_off_s = 0.2;
    options.process.command = {own_program(), "measuring-process"};
    options.process.sandbox = SandboxSettings::of("best", "");
    options.drift.every = 0;
    options.parent = ::getppid();
    serve(options);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program([&] {
        if (argc == 2 && std::strcmp(argv[1], "measuring-process") == 0) {
            test::remember_agent();
            return measuring_process_main(
                [](const Json& spec, const MeasurementSettings&) {
                    return std::make_unique<NumberedNetwork>(test::number_in(spec.dump()));
                },
                {}, 3);
        }
        if (argc != 4) {
            std::fprintf(stderr, "usage: hostile_agent ENDPOINT NAME USER\n");
            return 2;
        }
        return serve_as(argv[1], argv[2], std::atoi(argv[3]));
    });
}
