// A secured bridge with a search and a device at work while another listed key does all it can.
#include "support/bridge_process.hpp"
#include "support/eventually.hpp"
#include "support/loud_peer.hpp"
#include "support/scripted_agent.hpp"
#include "support/setting.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace edgeloop {
namespace {

using test::eventually;
using test::LoudPeer;

/// Runs until it is destroyed.
class Meanwhile {
  public:
    explicit Meanwhile(std::function<void(const std::atomic<bool>&)> body)
        : thread_([this, body = std::move(body)] {
              // It has a machine of its own elsewhere: threads that it starts get what others
              // leave.
              (void)::setpriority(PRIO_PROCESS, 0, 19);
              body(stopping_);
          }) {}
    ~Meanwhile() {
        stopping_ = true;
        thread_.join();
    }
    Meanwhile(const Meanwhile&) = delete;
    Meanwhile& operator=(const Meanwhile&) = delete;

  private:
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

class Attack : public testing::Test {
  protected:
    Attack() {
        write_keys(folder.path("bridge.key"), server);
        std::ofstream(folder.path("allowed")) << searching.public_key << " search\n"
                                              << measuring.public_key << " device\n"
                                              << hostile.public_key << "\n"
                                              << operating.public_key << " operator\n";
    }
    void start(std::vector<std::string> more = {}) {
        for (const std::string& word : {std::string("--keys"), folder.path("bridge.key"),
                                        std::string("--allow"), folder.path("allowed")})
            more.push_back(word);
        bridge = std::make_unique<test::BridgeProcess>(folder.path("store"), more, log_file());
        AgentOptions agent = ScriptedAgent::options(bridge->endpoint(), "device");
        agent.keys = measuring;
        agent.server_key = server.public_key;
        device = std::make_unique<ScriptedAgent>(agent, [](const MeasurementJob& job) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            MeasurementResult result;
            const bool is_numbered = job.spec.find("hidden") != std::string::npos;
            result.metrics["latency_ms"] = is_numbered ? test::number_in(job.spec) : 1;
            return result;
        });
        RemoteProbeOptions options;
        options.edge = {EdgeOption::Mode::connect, bridge->endpoint()};
        options.keys = searching;
        options.server_key = server.public_key;
        options.device_class = "x";
        options.max_back_off_s = 0.5;
        search = std::make_unique<RemoteProbe>(options);
        ASSERT_TRUE(eventually([&] { return search->link().up; })) << search->link().text;
    }
    [[nodiscard]] std::unique_ptr<LoudPeer> peer() const {
        return std::make_unique<LoudPeer>(bridge->endpoint(), hostile, server.public_key);
    }
    [[nodiscard]] Json status() const {
        return bridge_status({bridge->endpoint(), operating, server.public_key}, 20);
    }
    /// Asks the bridge for its status, as rarely as it likes, until it is so.
    [[nodiscard]] bool until_status(const std::function<bool(const Json&)>& holds) const {
        return eventually([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            return holds(status());
        });
    }
    /// Has so many jobs measured, four at a time, and says how long they took.
    void expect_measured(const char* when, int jobs = test::setting("EDGELOOP_ATTACK_JOBS", 200)) {
        std::map<CandidateId, double> sent;
        std::vector<double> took;
        const auto submit = [&] {
            const auto id = static_cast<CandidateId>(++submitted);
            sent[id] = steady_seconds();
            search->submit(test::numbered_candidate(id, id));
        };
        for (int i = 0; i < std::min(4, jobs); ++i) submit();
        EXPECT_TRUE(eventually(
            [&] {
                for (const Outcome& outcome : search->poll()) {
                    EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
                    EXPECT_DOUBLE_EQ(outcome.metrics.at("latency_ms"),
                                     static_cast<double>(outcome.id));
                    took.push_back(1e3 * (steady_seconds() - sent.at(outcome.id)));
                    if (static_cast<int>(sent.size()) < jobs) submit();
                }
                disturbed += search->link().up && device->session().state() == "connected" ? 0 : 1;
                return static_cast<int>(took.size()) == jobs;
            },
            200))
            << when << ": " << took.size() << " of " << jobs;
        if (took.empty()) return;
        std::sort(took.begin(), took.end());
        if (quiet_ms == 0) quiet_ms = took.back();
        std::fprintf(stderr,
                     "%s: %zu jobs, median %.0f ms, longest %.0f ms: %.1f times the longest "
                     "of the first ones\n",
                     when, took.size(), took[took.size() / 2], took.back(), took.back() / quiet_ms);
    }
    [[nodiscard]] double peak_mib() const { return bridge->resident_mib("VmHWM"); }
    [[nodiscard]] std::string log_file() const { return folder.path("bridge.log"); }
    void expect_said(const std::string& text) const {
        EXPECT_TRUE(eventually([&] {
            return read_file(log_file()).find(text) != std::string::npos;
        })) << text
            << " is not in:\n"
            << read_file(log_file()).substr(0, 4000);
        EXPECT_EQ(read_file(log_file()).find("bug in edgeloop"), std::string::npos);
    }
    test::TemporaryFolder folder;
    const LinkKeys server = generate_keys(), searching = generate_keys(),
                   measuring = generate_keys(), hostile = generate_keys(),
                   operating = generate_keys();
    std::unique_ptr<test::BridgeProcess> bridge;
    std::unique_ptr<ScriptedAgent> device;
    std::unique_ptr<RemoteProbe> search;
    int submitted = 0, disturbed = 0;
    double quiet_ms = 0;  ///< the longest of those that were measured first
};

MeasurementJob job_for(const std::string& device_class, int number, std::size_t bytes = 0) {
    return {Json{{"n", number}, {"x", std::string(bytes, 'x')}}.dump(), "{}", device_class};
}

TEST_F(Attack, ReasonsAndNamesThatAreHardToShowLeaveTheStatusAnswering) {
    start();
    expect_measured("quiet", 50);
    const auto searching_peer = peer(), measuring_peer = peer();
    searching_peer->hello(wire::Role::client, "hostile search");
    measuring_peer->hello(wire::Role::agent, "hostile device", 1, "hostile");
    measuring_peer->say(wire::Ready{16});
    std::vector<std::unique_ptr<LoudPeer>> crowd;
    for (int i = 0; i < 60; ++i) crowd.push_back(peer());
    const Meanwhile attack([&](const std::atomic<bool>& stopping) {
        for (int n = 0; !stopping; ++n) {
            MeasurementResult failed;
            failed.status = Status::failed;
            failed.reason = std::string(static_cast<std::size_t>(n % 2), 'x');
            while (failed.reason.size() < 900) failed.reason += "\u00e4";
            const MeasurementJob job = job_for("hostile", n);
            searching_peer->say(wire::Submit{job, 0}, request_id(job));
            searching_peer->say(wire::Heartbeat{});
            measuring_peer->say(wire::Heartbeat{});
            (void)searching_peer->hear(0.01);
            for (const wire::Packet& packet : measuring_peer->hear(0.01))
                if (std::holds_alternative<wire::Job>(packet.message))
                    measuring_peer->say(wire::Result{failed}, packet.request);
            LoudPeer& one = *crowd[static_cast<std::size_t>(n) % crowd.size()];
            one.hello(n % 2 == 0 ? wire::Role::agent : wire::Role::client,
                      std::string(240, '"') + std::to_string(n % 240), 1, std::string(250, '\\'));
        }
    });
    expect_measured("while names and reasons are hard to show");
    const Json seen = status();
    EXPECT_FALSE(seen.contains("left_out"));
    EXPECT_TRUE(std::any_of(seen.at("devices").begin(), seen.at("devices").end(),
                            [](const Json& each) { return each.at("name") == "device"; }));
    EXPECT_NE(seen.at("last_errors").dump().find("\u00e4"), std::string::npos);
    EXPECT_EQ(disturbed, 0);
}

TEST_F(Attack, AMessageOfManyFramesTakesLittleMemory) {
    start();
    expect_measured("quiet", 50);
    const auto mib = static_cast<std::size_t>(test::setting("EDGELOOP_ATTACK_MIB", 400));
    const std::string frame(200 << 10, 'x');
    const Meanwhile attack([&](const std::atomic<bool>& stopping) {
        while (!stopping) {
            const auto sender = peer();
            sender->say_in_frames(frame, (mib << 20) / frame.size());
            for (int i = 0; i < 100 && !stopping; ++i) (void)sender->hear(0.02);
        }
    });
    expect_measured("while messages of many frames are sent");
    EXPECT_LT(peak_mib(), 200);
    std::fprintf(stderr, "resident %.0f MiB at most\n", peak_mib());
    expect_said("no whole message");
    EXPECT_EQ(disturbed, 0);
}

TEST_F(Attack, AQueueFilledByOneHasRoomForOthersAlsoAfterARestartAndIsDropped) {
    start({"--max-queued", "4000"});
    expect_measured("quiet", 50);
    const auto fill = [&](const std::atomic<bool>& stopping) {
        const auto sender = peer();
        sender->hello(wire::Role::client, "hostile");
        for (int n = 0; !stopping; ++n) {
            // For nobody, and for the device at work.
            const MeasurementJob job = job_for(n % 2 == 0 ? "nobody" : "x", n);
            sender->say(wire::Submit{job, 1'000'000}, request_id(job));
            if (n % 500 == 0) {
                sender->say(wire::Heartbeat{});
                (void)sender->hear(0.05);
            }
        }
    };
    {
        const Meanwhile attack(fill);
        EXPECT_TRUE(
            until_status([](const Json& now) { return now.at("open_jobs").get<int>() >= 1900; }));
        expect_measured("while the queue is filled");
    }
    EXPECT_EQ(disturbed, 0);
    EXPECT_LE(status().at("open_jobs"), 2100);
    expect_said("has its share of the queue");

    bridge->kill();
    bridge->start();
    expect_measured("after a restart", 50);
    const Json seen = status();
    EXPECT_GE(seen.at("open_jobs").get<int>(), 500);
    EXPECT_EQ(seen.at("shares").at(0).at("of"), hostile.public_key);
    const auto drop = [&](const LinkKeys& keys) {
        return drop_jobs({bridge->endpoint(), keys, server.public_key}, {0, "nobody", ""}, 20);
    };
    EXPECT_EQ(drop(searching), 0u) << "nobody drops what is others'";
    EXPECT_GE(drop(operating), 500u);
    EXPECT_TRUE(status().at("waiting").empty() ||
                status().at("waiting").dump().find("nobody") == std::string::npos);
}

TEST_F(Attack, LargeJobsAreCountedByTheirBytes) {
    start({"--max-queued-mib", "16"});
    expect_measured("quiet", 50);
    const Meanwhile attack([&](const std::atomic<bool>& stopping) {
        const auto sender = peer();
        sender->hello(wire::Role::client, "hostile");
        for (int n = 0; !stopping; ++n) {
            const MeasurementJob job = job_for("nobody", n, 60'000);
            sender->say(wire::Submit{job, 0}, request_id(job));
            if (n % 50 != 0) continue;
            sender->say(wire::Heartbeat{});
            (void)sender->hear(0.02);
        }
    });
    EXPECT_TRUE(
        until_status([](const Json& now) { return now.at("open_bytes").get<int>() > 7 << 20; }));
    expect_measured("while large jobs are queued");
    EXPECT_LE(status().at("open_bytes"), 9 << 20);
    EXPECT_LT(peak_mib(), 200);
    const double stored = bridge->store_mib();
    EXPECT_LT(stored, 128);
    std::fprintf(stderr, "resident %.0f MiB at most, store %.0f MiB\n", peak_mib(), stored);
    EXPECT_EQ(disturbed, 0);
}

TEST_F(Attack, ManyHellosWithLargeRecordsThrowNobodyOut) {
    start();
    expect_measured("quiet", 50);
    const int hellos = test::setting("EDGELOOP_ATTACK_HELLOS", 3000);
    std::atomic<int> said{0};
    const Meanwhile attack([&](const std::atomic<bool>& stopping) {
        std::vector<std::unique_ptr<LoudPeer>> peers;
        for (int i = 0; i < 30; ++i) peers.push_back(peer());
        const std::string record = Json{{"x", std::string(60'000, 'x')}}.dump();
        for (int n = 0; !stopping; ++n) {
            // With the number of a process, and without one.
            peers[static_cast<std::size_t>(n) % peers.size()]->hello(
                wire::Role::agent, "h" + std::to_string(n), n % 2 == 0 ? 0 : 1, "x", record);
            said = n;
        }
    });
    expect_measured("while many say Hello");
    EXPECT_TRUE(eventually([&] { return said >= hellos; }, 120)) << said;
    expect_measured("and after 3 000 of them", 50);
    EXPECT_LT(peak_mib(), 150);
    EXPECT_EQ(disturbed, 0);
    expect_said("opens sessions too often");
}

TEST_F(Attack, AFullDiskLeavesABridgeThatAnswersAndGoesOnWhenThereIsRoom) {
    start();
    expect_measured("quiet", 50);
    const auto in_trouble = [](const Json& now) {
        return !now.at("trouble").get<std::string>().empty();
    };
    bridge->fill_disk(true);
    for (int i = 0; i < 5; ++i) {
        const auto id = static_cast<CandidateId>(++submitted);
        search->submit(test::numbered_candidate(id, id));
    }
    EXPECT_TRUE(until_status(in_trouble));
    EXPECT_TRUE(search->link().up);
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    // Started again with the disk still full.
    bridge->kill();
    bridge->start({"/bin/bash", "-c", "ulimit -Sf 0; exec \"$@\"", "bash"});
    EXPECT_TRUE(eventually([&] { return search->link().up; })) << search->link().text;
    const Json seen = status();
    EXPECT_TRUE(in_trouble(seen));
    EXPECT_GE(seen.at("results").get<int>(), 50);
    std::size_t before = search->poll().size();
    bridge->fill_disk(false);
    EXPECT_TRUE(until_status([&](const Json& now) { return !in_trouble(now); }));
    EXPECT_TRUE(eventually([&] {
        for (const Outcome& outcome : search->poll()) {
            EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
            ++before;
        }
        return before == 5;
    })) << before;
    expect_measured("after the disk was full");
    expect_said("it can be written to again");
}

TEST_F(Attack, JobsThatNobodyTakesExpire) {
    start({"--unclaimed-expire", "0.0001"});  // 9 s
    {
        const auto sender = peer();
        sender->hello(wire::Role::client, "hostile");
        for (int n = 0; n < 100; ++n) {
            const MeasurementJob job = job_for("nobody", n);
            sender->say(wire::Submit{job, 0}, request_id(job));
        }
        EXPECT_EQ(test::count_of<wire::Accepted>(sender->hear(1)), 100u);
        EXPECT_EQ(status().at("open_jobs"), 100);
    }
    EXPECT_TRUE(until_status([](const Json& now) { return now.at("open_jobs") == 0; }));
    expect_said("expired: ");
    expect_measured("afterwards", 20);
}

}  // namespace
}  // namespace edgeloop
