// A bridge, devices and a search over a bad internet link, with processes killed in mid-run.
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

/// From the environment, so that the long version is the same test.
int setting(const char* name, int otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::atoi(text) : otherwise;
}

/// A bridge process that can be killed and started again at the same address and folder.
class BridgeProcess {
  public:
    explicit BridgeProcess(const std::string& folder) : folder_(folder), port_(test::free_port()) {
        start();
    }
    void start() {
        ChildOptions child;
        child.arguments = {std::string(EDGELOOP_BIN_DIR) + "/edgeloop-bridge",
                           "serve",
                           "--bind",
                           endpoint(),
                           "--store",
                           folder_,
                           "--log-level",
                           "error"};
        process_ = std::make_unique<ChildProcess>(child);
    }
    void kill() {
        ::kill(process_->pid(), SIGKILL);
        process_->wait_for(10);
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string endpoint() const {
        return "tcp://127.0.0.1:" + std::to_string(port_);
    }

  private:
    std::string folder_;
    std::uint16_t port_;
    std::unique_ptr<ChildProcess> process_;
};

class Wan : public testing::Test {
  protected:
    static constexpr int agents = 3;

    Wan() : bridge(folder.path("store")), proxy(bridge.port(), {7, 3, 2e6}) {
        for (int i = 0; i < agents; ++i) processes.push_back(start_agent(i));
    }
    [[nodiscard]] std::unique_ptr<ChildProcess> start_agent(int number) const {
        ChildOptions child;
        child.arguments = {EDGELOOP_SCRIPTED_AGENT, proxy.endpoint(),
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
        options.longest_back_off_s = 0.5;
        return std::make_unique<RemoteProbe>(options);
    }
    static void submit(RemoteProbe& probe, int n) {
        Candidate candidate;
        candidate.id = static_cast<CandidateId>(n);
        candidate.spec = Json{{"n", n}}.dump();
        probe.submit(candidate);
    }
    /// How often each job was measured.
    [[nodiscard]] std::map<std::string, int> measured() const {
        std::map<std::string, int> counts;
        std::istringstream lines(read_file(folder.path("measured")));
        for (std::string line; std::getline(lines, line);) ++counts[line];
        return counts;
    }

    test::TemporaryFolder folder;
    BridgeProcess bridge;
    test::TcpProxy proxy;
    std::vector<std::unique_ptr<ChildProcess>> processes;
};

TEST_F(Wan, EveryJobIsAnsweredOnceThroughKillsResetsAndPartitions) {
    const int jobs = setting("EDGELOOP_WAN_JOBS", 150);
    const int disturbances = setting("EDGELOOP_WAN_DISTURBANCES", 9);
    const auto probe = search("search");
    for (int n = 1; n <= jobs; ++n) submit(*probe, n);

    std::map<CandidateId, int> answers;
    RandomStream random(1, "wan test");
    const double start = steady_seconds();
    int done = 0, kills = 0, partitions = 0;
    BackOff back_off;
    while (answers.size() < static_cast<std::size_t>(jobs) && steady_seconds() - start < 1500) {
        for (const Outcome& outcome : probe->poll()) {
            ++answers[outcome.id];
            ASSERT_EQ(outcome.status, Status::completed) << outcome.reason;
            ASSERT_DOUBLE_EQ(outcome.metrics.at("latency_ms"), static_cast<double>(outcome.id));
        }
        // Disturbances are spread over the answers, so that each hits work in progress.
        const bool due = static_cast<int>(answers.size()) >= (done + 1) * jobs / (disturbances + 2);
        if (due && done < disturbances) {
            switch (done++ % 3) {
                case 0:
                    bridge.kill();
                    proxy.reset_all();
                    bridge.start();
                    break;
                case 1:
                    kill_agent(static_cast<int>(random.below(agents)));
                    ++kills;
                    proxy.reset_all();
                    break;
                default:
                    proxy.partition(true);
                    std::this_thread::sleep_for(
                        std::chrono::milliseconds(setting("EDGELOOP_WAN_PARTITION_MS", 1500)));
                    proxy.partition(false);
                    ++partitions;
            }
        }
        back_off.wait();
    }
    ASSERT_EQ(answers.size(), static_cast<std::size_t>(jobs));
    for (const auto& [id, count] : answers) EXPECT_EQ(count, 1) << "candidate " << id;

    // A job is measured again only when its device was lost before the answer was stored.
    int again = 0;
    for (const auto& [spec, count] : measured()) again += count - 1;
    EXPECT_LE(again, 2 * kills + 2 * agents * partitions);

    // What has been answered is never measured again, whoever asks.
    const auto counts = measured();
    const auto second = search("another search");
    for (int n = 1; n <= jobs; ++n) submit(*second, n);
    std::size_t repeated = 0;
    const double deadline = steady_seconds() + 60;
    while (repeated < static_cast<std::size_t>(jobs) && steady_seconds() < deadline) {
        repeated += second->poll().size();
        back_off.wait();
    }
    EXPECT_EQ(repeated, static_cast<std::size_t>(jobs));
    EXPECT_EQ(measured(), counts);
    std::fprintf(stderr, "%d jobs in %.1f s, %d measured again, %d disturbances\n", jobs,
                 steady_seconds() - start, again, disturbances);
}

TEST_F(Wan, AHalfOpenConnectionIsNoticedByHeartbeats) {
    const auto probe = search("search");
    submit(*probe, 1);
    const double deadline = steady_seconds() + 60;
    const auto wait_until = [&](auto holds) {
        bool held = holds();
        for (; !held && steady_seconds() < deadline; held = holds())
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return held;
    };
    ASSERT_TRUE(wait_until([&] { return !probe->poll().empty(); }));
    proxy.partition(true);
    EXPECT_TRUE(wait_until([&] { return !probe->link().up; })) << probe->link().text;
    submit(*probe, 2);  // waits
    proxy.partition(false);
    EXPECT_TRUE(wait_until([&] { return !probe->poll().empty(); })) << probe->link().text;
}

}  // namespace
}  // namespace edgeloop
