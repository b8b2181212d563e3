// The search's side of the link with real edgeloop-edge processes that measure real networks.
#include "support/places.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/access.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <csignal>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace edgeloop {
namespace {

const std::string agent_program = test::program("edgeloop-edge");

RemoteProbeOptions probe_options(const EdgeOption& edge) {
    RemoteProbeOptions options;
    options.edge = edge;
    options.settings.time_budget_s = 0.05;
    options.board.heartbeat_s = 0.1;
    return options;
}

Candidate tiny_candidate(CandidateId id, int hidden) {
    Json spec = read_json_file(test::test_data("specs/cnn3d_tiny.json"));
    spec["architecture"]["hidden"] = {hidden};
    Candidate candidate;
    candidate.id = id;
    candidate.design = Design::parse(spec.dump(), "tiny");
    return candidate;
}

std::map<CandidateId, Outcome> collect(LatencyProbe& probe, std::size_t count) {
    std::map<CandidateId, Outcome> outcomes;
    const double deadline = steady_seconds() + 60;
    BackOff back_off;
    while (outcomes.size() < count && steady_seconds() < deadline) {
        for (const Outcome& outcome : probe.poll()) {
            EXPECT_EQ(outcomes.count(outcome.id), 0u);
            outcomes[outcome.id] = outcome;
        }
        back_off.wait();
    }
    return outcomes;
}

TEST(Edge, ALocalAgentMeasuresRealNetworks) {
    LocalAgent agent({}, agent_program);
    RemoteProbe probe(probe_options({EdgeOption::Mode::local, agent.endpoint()}));
    for (int i = 1; i <= 3; ++i) probe.submit(tiny_candidate(static_cast<CandidateId>(i), 8 * i));
    const auto outcomes = collect(probe, 3);
    ASSERT_EQ(outcomes.size(), 3u);
    for (const auto& [id, outcome] : outcomes) {
        ASSERT_EQ(outcome.status, Status::completed) << outcome.reason;
        EXPECT_GT(outcome.metrics.at("latency_ms"), 0);
        EXPECT_GT(outcome.metrics.at("peak_memory_mib"), 0);
        EXPECT_GT(outcome.metrics.at("preprocess_ms"), 0);
        // Each run's sum is longer than its parts.
        EXPECT_GE(outcome.metrics.at("pipeline_ms"), outcome.metrics.at("latency_ms"));
        EXPECT_GE(outcome.metrics.at("pipeline_ms"), outcome.metrics.at("preprocess_ms"));
    }
    ASSERT_EQ(probe.devices().size(), 1u);
    EXPECT_TRUE(Json::parse(probe.devices()[0]).contains("machine"));
}

TEST(Edge, ANetworkThatCannotBeBuiltIsAFailureWithAReason) {
    LocalAgent agent({}, agent_program);
    RemoteProbe probe(probe_options({EdgeOption::Mode::local, agent.endpoint()}));
    Candidate broken;
    broken.id = 1;
    broken.design = Design::parse(
        R"({"family": "swin3d", "clip": {"frames": 4, "side": 8}, "architecture":
            {"patch": [2, 4, 4], "embed_dim": 6, "depths": [1], "heads": [4]}})",
        "broken");
    probe.submit(broken);
    probe.submit(tiny_candidate(2, 8));
    const auto outcomes = collect(probe, 2);
    ASSERT_EQ(outcomes.size(), 2u);
    EXPECT_EQ(outcomes.at(1).status, Status::failed);
    EXPECT_NE(outcomes.at(1).reason.find("heads"), std::string::npos) << outcomes.at(1).reason;
    EXPECT_EQ(outcomes.at(2).status, Status::completed) << outcomes.at(2).reason;
}

/// What a network is told that may allocate `memory_mib`, with two threads.
Outcome with_memory(const std::string& spec_file, double memory_mib) {
    LocalAgent agent({}, agent_program);
    RemoteProbeOptions options = probe_options({EdgeOption::Mode::local, agent.endpoint()});
    options.settings.threads = 2;
    options.settings.memory_limit_mib = memory_mib;
    options.settings.time_limit_s = 30;
    RemoteProbe probe(options);
    Candidate candidate;
    candidate.id = 1;
    candidate.design = Design::of(ArchitectureSpec::from_file(spec_file));
    probe.submit(candidate);
    return collect(probe, 1)[1];
}

TEST(Edge, AMemoryLimitIsForTheNetworkAndEndsOneThatNeedsMore) {
    // Too little for the buffers of OpenBLAS and for threads, which a network does not pay for.
    const Outcome small = with_memory(test::test_data("specs/cnn3d_tiny.json"), 32);
    EXPECT_EQ(small.status, Status::completed) << small.reason;
    for (const double mib : {1.0, 32.0}) {
        const Outcome large =
            with_memory(test::in_source("src/architecture/specs/human.json"), mib);
        EXPECT_EQ(large.status, Status::failed);
        EXPECT_EQ(large.reason, "out of memory on the device");
    }
}

/// A process that never sleeps, on one core.
class Spinner {
  public:
    explicit Spinner(int core) : pid_(::fork()) {
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!pin_to_cpus({core})) ::_exit(1);
        while (true) {
        }
    }
    ~Spinner() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Spinner(const Spinner&) = delete;
    Spinner& operator=(const Spinner&) = delete;

    [[nodiscard]] bool spins() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

  private:
    pid_t pid_;
};

TEST(Edge, BesideAProgramThatNeverSleepsNoLatencyIsValid) {
    const int core = allowed_cpus().at(0);
    const Spinner spinner(core);
    for (const char* batch : {"1", "64"}) {  // a fast network and a slower one
        const auto result =
            test::run({agent_program, "measure", "--spec", test::test_data("specs/cnn3d_tiny.json"),
                       "--batch", batch, "--cores", std::to_string(core), "--seconds", "1",
                       "--patience", "1", "--json"});
        ASSERT_EQ(result.code, 0) << result.output;
        const Json measured = parse_json(result.output, "measure");
        const std::string name = std::string(batch) == "1" ? "latency" : "latency_b64";
        EXPECT_EQ(measured.at("metrics").at(name + "_valid"), 0) << result.output;
        const Json reasons = measured.at("record").at("batches").at(0).at("not_valid_because");
        EXPECT_NE(reasons.back().get<std::string>().find("% of a processor, and needs 90 %"),
                  std::string::npos)
            << reasons;
    }
    EXPECT_TRUE(spinner.spins());
}

TEST(Edge, InfoTriesTheSandbox) {
    const auto result = test::run({agent_program, "info"});
    ASSERT_EQ(result.code, 0) << result.output;
    const Json sandbox = parse_json(result.output, "info").at("sandbox");
    EXPECT_EQ(sandbox.at("mode"), "best");
    if (!sandbox.at("strong").get<bool>()) GTEST_SKIP() << "this kernel cannot: " << sandbox;
    EXPECT_TRUE(sandbox.at("not_refused").empty()) << sandbox;
    EXPECT_TRUE(sandbox.at("refused").contains("open a socket"));
    EXPECT_NE(sandbox.at("user"), 0) << "root's agent measures as somebody else";
}

TEST(Edge, NetworksAreMeasuredWithAndWithoutTheSandbox) {
    const auto measure = [](const char* sandbox) {
        return test::run({agent_program, "measure", "--spec",
                          test::test_data("specs/cnn3d_tiny.json"), "--seconds", "0.2", "--json",
                          "--sandbox", sandbox});
    };
    bool strong = false;
    for (const char* mode : {"off", "best"}) {
        const auto result = measure(mode);
        ASSERT_EQ(result.code, 0) << result.output;
        const Json measured = parse_json(result.output, "measure");
        EXPECT_GT(measured.at("metrics").at("latency_ms"), 0);
        EXPECT_GT(measured.at("metrics").at("build_ms"), 0);
        const Json sandbox = measured.at("record").at("sandbox");
        EXPECT_EQ(sandbox.at("mode"), mode);
        strong = sandbox.value("seccomp", false) && sandbox.value("files", "") != "readable";
    }
    const auto required = measure("require");
    EXPECT_EQ(required.code, strong ? 0 : 3) << required.output;
    const auto wrong = test::run({agent_program, "info", "--sandbox-user", "no such user"});
    EXPECT_EQ(wrong.code, 2);
    EXPECT_NE(wrong.output.find("--sandbox-user"), std::string::npos) << wrong.output;
}

TEST(Edge, KillingTheAgentAndStartingAnotherLosesNothing) {
    RemoteProbe probe(probe_options({EdgeOption::Mode::bind, "tcp://127.0.0.1:*"}));
    ChildOptions agent;
    agent.arguments = {agent_program,    "serve",  "--connect",
                       probe.endpoint(), "--name", "e2e-" + std::to_string(::getpid())};
    for (int i = 1; i <= 6; ++i) probe.submit(tiny_candidate(static_cast<CandidateId>(i), 8 * i));
    auto first = std::make_unique<ChildProcess>(agent);
    auto outcomes = collect(probe, 2);
    ASSERT_GE(outcomes.size(), 2u);
    ::kill(first->pid(), SIGKILL);
    ASSERT_TRUE(first->wait_for(10));
    ChildProcess second(agent);
    outcomes.merge(collect(probe, 6 - outcomes.size()));
    ASSERT_EQ(outcomes.size(), 6u);
    for (const auto& [id, outcome] : outcomes)
        EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
}

TEST(Edge, TheAgentEndsWithTheProgramThatStartedIt) {
    const std::string file =
        (std::filesystem::temp_directory_path() / ("edgeloop-agent-" + std::to_string(::getpid())))
            .string();
    const pid_t starter = ::fork();
    if (starter == 0) {
        LocalAgent agent({}, agent_program);
        write_file_atomic(file, std::to_string(agent.pid()), Durability::process_crash);
        ::pause();
    }
    BackOff back_off;
    const double deadline = steady_seconds() + 30;
    while (!std::filesystem::exists(file) && steady_seconds() < deadline) back_off.wait();
    const pid_t agent = std::stoi(read_file(file));
    std::filesystem::remove(file);
    ::kill(starter, SIGKILL);
    ::waitpid(starter, nullptr, 0);
    while (::kill(agent, 0) == 0 && steady_seconds() < deadline) back_off.wait();
    EXPECT_NE(::kill(agent, 0), 0) << "the agent outlived its starter";
}

TEST(Edge, OneAgentOfANameRunsOnAMachine) {
    const test::TemporaryFolder folder;
    const std::string name = "e2e-once-" + std::to_string(::getpid());
    const auto options = [&](const std::string& output) {
        ChildOptions child;
        child.arguments = {agent_program, "serve", "--connect", "ipc://" + folder.path("nobody"),
                           "--name",      name};
        child.output_file = folder.path(output);
        return child;
    };
    ChildProcess first(options("0")), second(options("1"));
    BackOff back_off;
    const double deadline = steady_seconds() + 60;
    while (!first.poll() && !second.poll() && steady_seconds() < deadline) back_off.wait();
    const bool second_ended = second.poll().has_value();
    ChildProcess& ended = second_ended ? second : first;
    ChildProcess& runs = second_ended ? first : second;
    ASSERT_TRUE(ended.poll());
    const std::string said = read_file(folder.path(second_ended ? "1" : "0"));
    EXPECT_EQ(ended.poll()->code, 2) << said;
    EXPECT_NE(said.find("runs here already"), std::string::npos) << said;
    EXPECT_FALSE(runs.poll());
    const auto locks = [&] {
        std::size_t found = 0;
        for (const auto& entry : std::filesystem::directory_iterator(own_lock_folder()))
            found += entry.path().string().find("once_" + std::to_string(::getpid())) !=
                             std::string::npos
                         ? 1
                         : 0;
        return found;
    };
    EXPECT_EQ(locks(), 1u);
    ::kill(runs.pid(), SIGTERM);
    const auto exit = runs.wait_for(30);
    ASSERT_TRUE(exit);
    if (exit->code == 0) {
        EXPECT_EQ(locks(), 0u) << "it ended in order and left its lock";
    }
}

}  // namespace
}  // namespace edgeloop
