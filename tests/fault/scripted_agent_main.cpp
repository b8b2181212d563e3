// An agent process for tests that kill it: answers every job after a moment and writes one line per
// job to a file, when it began and what. usage: scripted_agent ENDPOINT NAME LOG_FILE MILLISECONDS
#include "support/scripted_agent.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/stop.hpp"

#include <chrono>
#include <thread>

#include <fmt/format.h>

int main(int argc, char** argv) {
    using namespace edgeloop;
    return run_program([&] {
        if (argc != 5) return 2;
        install_stop_handlers();
        AppendFile log(argv[3]);
        const std::chrono::milliseconds pause(std::stoi(argv[4]));
        const ScriptedAgent agent(ScriptedAgent::options(argv[1], argv[2]),
                                  [&](const MeasurementJob& job) {
                                      const double begin = steady_seconds();
                                      std::this_thread::sleep_for(pause);
                                      log.append(fmt::format("{:.6f} {}\n", begin, job.spec));
                                      MeasurementResult result;
                                      result.metrics["latency_ms"] = test::number_in(job.spec);
                                      result.seconds = 1e-3 * static_cast<double>(pause.count());
                                      return result;
                                  });
        while (stop_signal() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return 0;
    });
}
