// An agent whose answers are those of `--edge model`: for tests that compare runs.
// usage: modelled_agent ENDPOINT [JOBS], after which it ends as if the device had lost its power
#include "support/scripted_agent.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/stop.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <limits>
#include <thread>

int main(int argc, char** argv) {
    using namespace edgeloop;
    return run_program([&] {
        if (argc != 2 && argc != 3) return 2;
        install_stop_handlers();
        const int jobs = argc == 3 ? std::stoi(argv[2]) : std::numeric_limits<int>::max();
        std::atomic<int> taken{0};
        const ScriptedAgent agent(
            ScriptedAgent::options(argv[1], "modelled"), [&](const MeasurementJob& job) {
                if (++taken > jobs) ::raise(SIGKILL);
                const auto spec = ArchitectureSpec::from_json(parse_json(job.spec, "job"), "job");
                MeasurementResult result;
                result.metrics = {{"latency_ms", analytic_latency_ms(spec, DeviceModel{})},
                                  {"latency_is_modelled", 1}};
                return result;
            });
        while (stop_signal() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return 0;
    });
}
