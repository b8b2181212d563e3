// How soon a measurement starts on an idle device, and how busy a queued one is, over a link with
// 7 ms each way. Prints one line of JSON.
#include "support/scripted_agent.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/link/bridge_store.hpp"
#include "edgeloop/link/broker.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <vector>

namespace {

using namespace edgeloop;

constexpr double one_way_ms = 7;
constexpr int idle_jobs = 40, queued_jobs = 200;
constexpr auto job_time = std::chrono::milliseconds(100);

void submit(RemoteProbe& probe, int n) {
    const auto id = static_cast<CandidateId>(n);
    probe.submit(test::numbered_candidate(id, id + 1));  // a width: at least 1
}

void settle(RemoteProbe& probe, std::size_t count) {
    for (std::size_t settled = 0; settled < count; settled += probe.poll().size())
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

int run() {
    log::configure(log::Level::error);
    const test::TemporaryFolder folder;  // on a disk: what is acknowledged is synced
    BridgeStoreOptions kept;
    kept.folder = folder.path("store");
    BridgeStore store(kept);
    BrokerOptions options;
    options.endpoint = "tcp://127.0.0.1:" + std::to_string(test::free_port());
    const Broker broker(options, store);
    const auto port = static_cast<std::uint16_t>(
        std::stoi(broker.endpoint().substr(broker.endpoint().rfind(':') + 1)));
    test::TcpProxy to_agent(port, {one_way_ms, 0, 1e9}), to_search(port, {one_way_ms, 0, 1e9});

    std::atomic<double> started{0}, busy_s{0};
    std::atomic<bool> long_jobs{false};
    ScriptedAgent agent(ScriptedAgent::options(to_agent.endpoint(), "device"),
                        [&](const MeasurementJob&) {
                            const double begin = steady_seconds();
                            started = begin;
                            if (long_jobs) std::this_thread::sleep_for(job_time);
                            busy_s = busy_s + steady_seconds() - begin;
                            MeasurementResult result;
                            result.metrics["latency_ms"] = 1;
                            return result;
                        });
    RemoteProbeOptions probe_options;
    probe_options.edge = {EdgeOption::Mode::connect, to_search.endpoint()};
    RemoteProbe probe(probe_options);
    submit(probe, 0);
    settle(probe, 1);  // the link is up

    std::vector<double> delays_ms;
    for (int n = 1; n <= idle_jobs; ++n) {
        const double sent = steady_seconds();
        submit(probe, n);
        settle(probe, 1);
        delays_ms.push_back((started - sent) * 1e3);
    }
    std::sort(delays_ms.begin(), delays_ms.end());

    long_jobs = true;
    busy_s = 0;
    const double begin = steady_seconds();
    for (int n = 0; n < queued_jobs; ++n) submit(probe, 1000 + n);
    settle(probe, queued_jobs);
    const double busy = busy_s / (steady_seconds() - begin);

    const Json line = {{"round_trip_ms", 2 * one_way_ms},
                       {"idle_submit_to_start_median_ms", delays_ms[idle_jobs / 2]},
                       {"idle_submit_to_start_p90_ms", delays_ms[idle_jobs * 9 / 10]},
                       {"queued_busy_fraction", busy}};
    std::printf("%s\n", line.dump().c_str());
    return 0;
}

}  // namespace

int main() { return edgeloop::run_program(run); }
