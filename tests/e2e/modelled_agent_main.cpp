// An agent whose answers are those of `--edge model`: for tests that compare runs.
// usage: modelled_agent ENDPOINT [JOBS [CLASS GB_PER_S]]
// After so many jobs it ends as if the device had lost its power; 0: never. With another memory
// bandwidth than `--edge model` has, devices of another class.
#include "support/scripted_agent.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/stop.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

int main(int argc, char** argv) {
    using namespace edgeloop;
    return run_program([&] {
        if (argc < 2 || argc > 5 || argc == 4) return 2;
        install_stop_handlers();
        const int jobs = argc > 2 ? std::stoi(argv[2]) : 0;
        const std::string device_class = argc > 3 ? argv[3] : "x";
        DeviceModel device;
        if (argc > 4) device.gb_per_s = std::stod(argv[4]);
        std::atomic<int> taken{0};
        const ScriptedAgent agent(
            ScriptedAgent::options(argv[1], argc > 3 ? "modelled-" + device_class : "modelled",
                                   device_class),
            [&](const MeasurementJob& job) {
                if (++taken > jobs && jobs > 0) ::raise(SIGKILL);
                const auto spec = ArchitectureSpec::from_json(parse_json(job.spec, "job"), "job");
                MeasurementResult result;
                result.metrics = {{"latency_ms", analytic_latency_ms(spec, device)},
                                  {"latency_is_modelled", 1}};
                return result;
            });
        while (stop_signal() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return 0;
    });
}
