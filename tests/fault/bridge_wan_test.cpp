// A bridge, devices and a search over a bad internet link, with processes killed in mid-run.
#include "support/bridge_process.hpp"
#include "support/eventually.hpp"
#include "support/numbered_design.hpp"
#include "support/places.hpp"
#include "support/setting.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

class Wan : public testing::Test {
  protected:
    static constexpr int agents = 3;

    Wan() : bridge(folder.path("store")), proxy(bridge.port(), {7, 3, 250e3}) {
        for (int i = 0; i < agents; ++i) processes.push_back(start_agent(i));
    }
    [[nodiscard]] std::unique_ptr<ChildProcess> start_agent(int number) const {
        ChildOptions child;
        child.arguments = {test::test_program("scripted_agent"), proxy.endpoint(),
                           "device-" + std::to_string(number), folder.path("measured"), "20"};
        child.output_file = "/dev/null";
        return std::make_unique<ChildProcess>(child);
    }
    void kill_agent(int number) {
        auto& process = processes[static_cast<std::size_t>(number)];
        ::kill(process->pid(), SIGKILL);
        process->wait_for(10);
        process = start_agent(number);
    }
    [[nodiscard]] std::unique_ptr<RemoteProbe> search(const std::string& name) const {
        RemoteProbeOptions options;
        options.edge = {EdgeOption::Mode::connect, proxy.endpoint()};
        options.name = name;
        options.max_back_off_s = 0.5;
        return std::make_unique<RemoteProbe>(options);
    }
    static void submit(RemoteProbe& probe, int n) {
        const auto id = static_cast<CandidateId>(n);
        probe.submit(test::numbered_candidate(id, id));
    }
    /// When each measurement of each job began.
    [[nodiscard]] std::multimap<CandidateId, double> measured() const {
        std::multimap<CandidateId, double> begins;
        std::istringstream lines(read_file(folder.path("measured")));
        for (std::string line; std::getline(lines, line);) {
            const auto blank = line.find(' ');
            begins.emplace(static_cast<CandidateId>(test::number_in(line.substr(blank))),
                           std::stod(line.substr(0, blank)));
        }
        return begins;
    }

    test::TemporaryFolder folder;
    test::BridgeProcess bridge;
    test::TcpProxy proxy;
    std::vector<std::unique_ptr<ChildProcess>> processes;
};

TEST_F(Wan, EveryJobIsAnsweredOnceWhateverHappensToTheLinkAndTheProcesses) {
    const int jobs = test::setting("EDGELOOP_WAN_JOBS", 150);
    const int disturbances = test::setting("EDGELOOP_WAN_DISTURBANCES", 8);
    const std::chrono::milliseconds partition(test::setting("EDGELOOP_WAN_PARTITION_MS", 1500));
    const auto probe = search("search");
    for (int n = 1; n <= jobs; ++n) submit(*probe, n);

    std::map<CandidateId, double> answered;  // when
    RandomStream random(1, "wan test");
    const double start = steady_seconds();
    const double deadline =
        start + 300 + disturbances * (10 + std::chrono::duration<double>(partition).count());
    int done = 0;
    BackOff back_off;
    while (answered.size() < static_cast<std::size_t>(jobs) && steady_seconds() < deadline) {
        for (const Outcome& outcome : probe->poll()) {
            EXPECT_TRUE(answered.emplace(outcome.id, steady_seconds()).second)
                << "candidate " << outcome.id << " was answered twice";
            ASSERT_EQ(outcome.status, Status::completed) << outcome.reason;
            ASSERT_DOUBLE_EQ(outcome.metrics.at("latency_ms"), static_cast<double>(outcome.id));
        }
        // Disturbances are spread over the answers, so that each hits work in progress.
        const bool due =
            static_cast<int>(answered.size()) >= (done + 1) * jobs / (disturbances + 2);
        if (due && done < disturbances) {
            switch (done++ % 4) {
                case 0:
                    bridge.kill();
                    proxy.reset_all();
                    bridge.start();
                    break;
                case 1:
                    kill_agent(static_cast<int>(random.below(agents)));
                    proxy.reset_all();
                    break;
                case 2:
                    proxy.forget_all();
                    break;
                default:
                    proxy.partition(true);
                    std::this_thread::sleep_for(partition);
                    proxy.partition(false);
            }
        }
        back_off.wait();
    }
    ASSERT_EQ(answered.size(), static_cast<std::size_t>(jobs));
    const double seconds = steady_seconds() - start;

    // A device may be lost, or cut off, before its answer is stored; then another measures the job.
    // Once it is answered nobody begins it again.
    const auto begins = measured();
    for (const auto& [id, begin] : begins)
        EXPECT_LE(begin, answered.at(id)) << "candidate " << id << " was measured again";

    // Nor when another search asks.
    const auto second = search("another search");
    for (int n = 1; n <= jobs; ++n) submit(*second, n);
    std::size_t repeated = 0;
    const double end = steady_seconds() + 60;
    while (repeated < static_cast<std::size_t>(jobs) && steady_seconds() < end) {
        repeated += second->poll().size();
        back_off.wait();
    }
    EXPECT_EQ(repeated, static_cast<std::size_t>(jobs));
    EXPECT_EQ(measured(), begins);
    std::fprintf(stderr,
                 "%d jobs in %.1f s with %d disturbances, %zu measured more than once before they "
                 "were answered\n",
                 jobs, seconds, done, begins.size() - answered.size());
}

TEST_F(Wan, AHalfOpenConnectionIsNoticedByHeartbeats) {
    const auto probe = search("search");
    submit(*probe, 1);
    ASSERT_TRUE(test::eventually([&] { return !probe->poll().empty(); }));
    proxy.partition(true);
    EXPECT_TRUE(test::eventually([&] { return !probe->link().up; })) << probe->link().text;
    submit(*probe, 2);  // waits
    proxy.partition(false);
    EXPECT_TRUE(test::eventually([&] { return !probe->poll().empty(); })) << probe->link().text;
}

}  // namespace
}  // namespace edgeloop
