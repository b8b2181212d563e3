// The bridge and the agent as an operator runs them.
#include "support/programs.hpp"
#include "support/scripted_agent.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"
#include "unit/model/specs.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/link/bridge_store.hpp"
#include "edgeloop/link/measurement.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace edgeloop::test {
namespace {

using Words = std::vector<std::string>;

Words operator+(Words left, const Words& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

class Bridge : public testing::Test {
  protected:
    Bridge() : address("tcp://127.0.0.1:" + std::to_string(free_port())) {}

    ChildProcess& start(const Words& arguments) {
        ChildOptions child;
        child.arguments = arguments;
        child.output_file = log;
        processes.push_back(std::make_unique<ChildProcess>(child));
        return *processes.back();
    }
    [[nodiscard]] std::string keygen(const std::string& name) const {
        const std::string path = folder.path(name);
        EXPECT_EQ(run({program("edgeloop-bridge"), "keygen", path}).code, 0);
        return path;
    }
    [[nodiscard]] Words serve() const {
        return {program("edgeloop-bridge"), "serve", "--bind", address, "--store",
                folder.path("store")};
    }
    [[nodiscard]] Words submit(const Words& more) const {
        return Words{program("edgeloop-bridge"),
                     "submit",
                     "--connect",
                     address,
                     "--spec",
                     test_data("specs/cnn3d_tiny.json"),
                     "--seconds",
                     "0.05",
                     "--wait",
                     "--timeout",
                     "60"} +
               more;
    }

    TemporaryFolder folder;
    std::string address, log = folder.path("log");
    std::vector<std::unique_ptr<ChildProcess>> processes;
};

// What --json prints, without what the log may say before: that no device is there yet.
std::string json_of(const ProgramResult& result) {
    const auto begin = result.output.find('{');
    return begin == std::string::npos ? "" : result.output.substr(begin);
}

TEST_F(Bridge, MeasuresWithKeysAndAnswersARepeatFromItsStore) {
    const std::string bridge_key = keygen("bridge.key"), device_key = keygen("device.key"),
                      user_key = keygen("user.key");
    std::filesystem::create_directories(folder.path("allowed"));
    for (const std::string& key : {device_key, user_key})
        std::filesystem::copy(key + ".pub", folder.path("allowed"));
    const auto secured = [&](const std::string& key) {
        return Words{"--keys", key, "--server-key", bridge_key + ".pub"};
    };
    ChildProcess& bridge =
        start(serve() + Words{"--keys", bridge_key, "--allow", folder.path("allowed")});
    start(Words{program("edgeloop-edge"), "serve", "--connect", address, "--class", "board",
                "--name", "e2e-bridge-" + std::to_string(::getpid())} +
          secured(device_key));
    const ProgramResult first =
        run(submit(Words{"--json", "--device", "board"} + secured(user_key)));
    ASSERT_EQ(first.code, 0) << first.output;
    const Json metrics = parse_json(json_of(first), "submit");
    EXPECT_GT(metrics.at("latency_ms").get<double>(), 0);

    // Killed and started again, without the device: the answer is still there. It comes from a
    // device whose core no other test uses, because only what is valid is kept.
    AgentOptions sure = ScriptedAgent::options(address, "sure", "sure");
    sure.keys = read_keys(device_key);
    sure.server_key = read_public_key(bridge_key + ".pub");
    ScriptedAgent device(sure, [](const MeasurementJob&) {
        MeasurementResult result;
        result.metrics = {{"latency_ms", 1.5}, {"latency_valid", 1}};
        return result;
    });
    const Words ask = submit(Words{"--json", "--device", "sure"} + secured(user_key));
    const ProgramResult before = run(ask);
    ASSERT_EQ(before.code, 0) << before.output;
    ::kill(bridge.pid(), SIGKILL);
    ASSERT_TRUE(bridge.wait_for(10));
    device.vanish();
    processes.back()->terminate();
    start(serve() + Words{"--keys", bridge_key, "--allow", folder.path("allowed")});
    EXPECT_EQ(json_of(run(ask)), json_of(before));

    const ProgramResult status =
        run(Words{program("edgeloop-bridge"), "status", "--json", "--connect", address} +
            secured(user_key));
    ASSERT_EQ(status.code, 0) << status.output;
    EXPECT_EQ(parse_json(status.output, "status").at("results"),
              1 + metrics.at("latency_valid").get<int>());
    EXPECT_EQ(
        run(Words{program("edgeloop-bridge"), "status", "--connect", address} + secured(user_key))
            .code,
        0);

    const ProgramResult stranger =
        run(Words{program("edgeloop-bridge"), "status", "--connect", address} +
            secured(keygen("stranger.key")));
    EXPECT_EQ(stranger.code, 3);
    EXPECT_NE(stranger.output.find("allow-list"), std::string::npos) << stranger.output;
}

TEST_F(Bridge, AnyBatchSizeIsMeasuredAndNoJobEndsTheAgent) {
    start(serve());
    ChildProcess& agent = start({program("edgeloop-edge"), "serve", "--connect", address, "--name",
                                 "e2e-batch-" + std::to_string(::getpid())});
    for (const std::string batches : {"2", "3,2"}) {
        const ProgramResult result = run(submit({"--json", "--batch", batches}));
        ASSERT_EQ(result.code, 0) << result.output;
        const Json metrics = parse_json(json_of(result), "submit");
        EXPECT_GT(metrics.at("latency_b2_ms").get<double>(), 0);
        EXPECT_EQ(metrics.count("latency_ms"), 0u);
    }
    // What the device cannot do, and what it can do afterwards.
    EXPECT_EQ(run(submit({"--weights", "none.safetensors"})).code, 2);
    EXPECT_EQ(run(submit({"--processor", "cuda"})).code, 2);
    EXPECT_EQ(run(submit({"--threads", "2"})).code, 0);
    EXPECT_FALSE(agent.poll().has_value()) << read_file(log);
}

TEST_F(Bridge, WhatADeviceCouldNotDoIsNotAnsweredFromTheStore) {
    start(serve());
    const std::string name = "e2e-weights-" + std::to_string(::getpid());
    const Words serve_device = {
        program("edgeloop-edge"), "serve", "--connect", address, "--name", name};
    start(serve_device);
    const Words ask = submit({"--weights", "best.safetensors"});
    const ProgramResult refused = run(ask);
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.output.find("keeps no weights"), std::string::npos) << refused.output;
    processes.back()->terminate();
    ASSERT_TRUE(processes.back()->wait_for(20));
    // Started again as it should have been: the same question is put to the device again.
    start(serve_device + Words{"--weights-folder", folder.path("nowhere")});
    const ProgramResult again = run(ask);
    EXPECT_EQ(again.output.find("keeps no weights"), std::string::npos) << again.output;
    EXPECT_NE(again.output.find("best.safetensors"), std::string::npos) << again.output;
}

TEST_F(Bridge, ItsStoreIsItsOwnersUnlessItIsSharedAndASignalEndsItAndItsPeers) {
    for (const bool share : {false, true}) {
        std::filesystem::remove_all(folder.path("store"));
        start(serve() + (share ? Words{"--share"} : Words{}));
        const ProgramResult status =
            run({program("edgeloop-bridge"), "status", "--connect", address});
        ASSERT_EQ(status.code, 0) << status.output;
        const auto mode_of = [&](const std::string& name) {
            return static_cast<unsigned>(std::filesystem::status(folder.path(name)).permissions());
        };
        EXPECT_EQ(mode_of("store"), share ? 0750U : 0700U);
        for (const char* file : {"store/store.db", "store/store.db-wal"})
            EXPECT_EQ(mode_of(file), share ? 0640U : 0600U) << file;
        start({program("edgeloop-edge"), "serve", "--connect", address, "--name",
               "e2e-signal-" + std::to_string(::getpid())});
        start(submit({"--device", "nosuch"}));
        std::string said;
        const double deadline = steady_seconds() + 60;
        while (said.find("nosuch") == std::string::npos && steady_seconds() < deadline)
            said = run({program("edgeloop-bridge"), "status", "--connect", address}).output;
        for (const auto& process : processes) ::kill(process->pid(), SIGTERM);
        for (const auto& process : processes) EXPECT_TRUE(process->wait_for(30));
        processes.clear();
    }
}

TEST_F(Bridge, RefusesWhatIsUnsafeOrWrongWithOneLineAndCode2) {
    const std::string key = keygen("key");
    (void)keygen("key2");
    std::filesystem::permissions(key, std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
    for (const Words& wrong :
         {Words{program("edgeloop-bridge"), "serve", "--bind", "tcp://*:*", "--store",
                folder.path("s")},
          Words{program("edgeloop-bridge"), "serve", "--keys", key, "--allow", key + ".pub",
                "--store", folder.path("s")},
          Words{program("edgeloop-bridge"), "serve", "--no-such-option"},
          Words{program("edgeloop-bridge"), "serve", "--bind", "tcp://127.0.0.1:99999", "--store",
                folder.path("s")},
          Words{program("edgeloop-bridge"), "status", "--connect", "tcp://127.0.0.1:99999"},
          Words{program("edgeloop-bridge"), "keygen", key},
          Words{program("edgeloop-edge"), "serve"},
          Words{program("edgeloop-edge"), "serve", "--connect", "tcp://192.0.2.1:1"},
          Words{program("edgeloop-edge"), "serve", "--connect", address, "--class",
                std::string(300, 'x')},
          Words{program("edgeloop-bridge"), "submit", "--connect", address, "--spec",
                "cnn3d-baseline", "--device", std::string(300, 'x')},
          Words{program("edgeloop-bridge"), "serve", "--keys", folder.path("key2"), "--allow",
                folder.path("nothing here"), "--store", folder.path("s")},
          Words{program("edgeloop-bridge"), "drop", "--connect", address},
          Words{program("edgeloop-bridge"), "drop", "--connect", address, "--job", "xyz"},
          Words{program("edgeloop-edge"), "measure", "--spec", "no-such-file"}}) {
        const ProgramResult result = run(wrong);
        EXPECT_EQ(result.code, 2) << wrong[1] << ": " << result.output;
        EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    }
}

TEST_F(Bridge, GoesOnAfterAHangUpAndDropsWhatNobodyCanMeasure) {
    ChildProcess& bridge = start(serve());
    const Words ask{program("edgeloop-bridge"), "status", "--json", "--connect", address};
    ASSERT_EQ(run(ask).code, 0);
    ::kill(bridge.pid(), SIGHUP);
    EXPECT_FALSE(bridge.wait_for(0.5));

    ChildProcess& waiting = start(submit({"--device", "nosuch"}));
    const double deadline = steady_seconds() + 30;
    Json lines = Json::array();
    while (lines.empty() && steady_seconds() < deadline)
        lines = parse_json(run(ask).output, "status").at("waiting");
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0].at("class"), "nosuch");
    const ProgramResult shown = run({program("edgeloop-bridge"), "status", "--connect", address});
    EXPECT_NE(shown.output.find("nobody can measure these"), std::string::npos) << shown.output;
    const ProgramResult dropped =
        run({program("edgeloop-bridge"), "drop", "--connect", address, "--class", "nosuch"});
    EXPECT_EQ(dropped.code, 0) << dropped.output;
    EXPECT_EQ(dropped.output, "1 job dropped\n");
    const auto exit = waiting.wait_for(30);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, 2);
    EXPECT_EQ(bridge.poll(), std::nullopt);
}

TEST_F(Bridge, ASecondDeviceOfANameIsTurnedAwayAndTheFirstGoesOn) {
    start(serve());
    const std::string name = "twin-" + std::to_string(::getpid());
    // Another machine: the lock of this one would refuse the second earlier.
    const auto device = [&](const std::string& log_file) {
        ChildOptions child;
        child.arguments = {test_program("scripted_agent"), address, name, folder.path("measured"),
                           "1"};
        child.output_file = folder.path(log_file);
        processes.push_back(std::make_unique<ChildProcess>(child));
    };
    device("first.log");
    const Words ask{program("edgeloop-bridge"), "status", "--json", "--connect", address};
    const double deadline = steady_seconds() + 30;
    const auto devices = [&] { return parse_json(run(ask).output, "status").at("devices"); };
    while (devices().empty() && steady_seconds() < deadline) {
    }
    const double first_since = devices().at(0).at("connected_s");
    device("second.log");
    while (read_file(folder.path("second.log")).find("give one of the two another --name") ==
               std::string::npos &&
           steady_seconds() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_NE(read_file(folder.path("second.log")).find("give one of the two another --name"),
              std::string::npos);
    ASSERT_EQ(devices().size(), 1u);
    EXPECT_GT(devices().at(0).at("connected_s"), first_since) << "the first was thrown off";
}

TEST_F(Bridge, ASpecIsCheckedBeforeItIsSentAndMayBeAShippedOne) {
    const std::string spec = folder.path("n.json");
    std::ofstream(spec) << R"({"family":"nope"})";
    const auto submit_spec = [&](const std::string& name) {
        return run({program("edgeloop-bridge"), "submit", "--connect", address, "--timeout", "1",
                    "--wait", "--spec", name});
    };
    const ProgramResult invalid = submit_spec(spec);
    EXPECT_EQ(invalid.code, 2);
    EXPECT_NE(invalid.output.find("unknown family 'nope'"), std::string::npos) << invalid.output;
    const ProgramResult shipped = submit_spec("cnn3d-baseline");
    EXPECT_EQ(shipped.code, 3) << shipped.output;  // found; there is no bridge
    const ProgramResult measured =
        run({program("edgeloop-edge"), "measure", "--spec", "cnn3d-baseline", "--seconds", "0.05"});
    EXPECT_EQ(measured.code, 0) << measured.output;
}

/// What this machine's record says that it delivers.
std::vector<std::string> delivered_runtimes() {
    const ProgramResult info = run({program("edgeloop-edge"), "info"});
    EXPECT_EQ(info.code, 0) << info.output;
    return parse_json(json_of(info), "info").at("delivers").at("runtimes");
}

TEST_F(Bridge, EveryRuntimeMeasuresEveryFamilyOrSaysThatItIsNotThere) {
    const std::vector<std::string> delivered = delivered_runtimes();
    ASSERT_FALSE(delivered.empty());
    const Range runtimes = MeasurementSettings::range("runtime");
    for (const ArchitectureSpec& design : small_designs()) {
        const std::string spec = folder.path(design.family + ".json");
        std::ofstream(spec) << design.to_json();
        for (const std::string& runtime : runtimes.words) {
            // Circuits have no latency_b2_ms: simulated_hardware_test.cpp.
            if (needs_cuda(runtime) || is_simulated(runtime)) continue;
            SCOPED_TRACE(design.family + " with " + runtime);
            const bool present =
                std::find(delivered.begin(), delivered.end(), runtime) != delivered.end();
            EXPECT_TRUE(present || !is_everywhere(runtime));
            const ProgramResult result =
                run({program("edgeloop-edge"), "measure", "--spec", spec, "--seconds", "0.1",
                     "--batch", "1,2", "--runtime", runtime});
            const bool runs = present && !(runtime == "native" && design.family == "swin3d");
            EXPECT_EQ(result.code, runs ? 0 : 2) << result.output;
            EXPECT_THAT(result.output, testing::HasSubstr(runs      ? "latency_b2_ms"
                                                          : present ? "has no layers for the family"
                                                                    : "built without the runtime"));
        }
    }
}

TEST_F(Bridge, ARuntimeForGpusAloneSaysSo) {
    const Range runtimes = MeasurementSettings::range("runtime");
    int for_gpus = 0;
    for (const std::string& runtime : runtimes.words) {
        if (!needs_cuda(runtime)) continue;
        ++for_gpus;
        const ProgramResult gpu = run({program("edgeloop-edge"), "measure", "--spec",
                                       test_data("specs/cnn3d_tiny.json"), "--runtime", runtime});
        EXPECT_EQ(gpu.code, 2);
        EXPECT_NE(gpu.output.find("add --processor cuda"), std::string::npos) << gpu.output;
    }
    EXPECT_GT(for_gpus, 0);
}

TEST_F(Bridge, ACoreThatIsNotThereIsSaidOnce) {
    const Words measure = {program("edgeloop-edge"),           "measure", "--spec",
                           test_data("specs/cnn3d_tiny.json"), "--cores", "1023"};
    const Words serve_device = {
        program("edgeloop-edge"), "serve", "--connect", address, "--cores", "0,1023"};
    for (const Words& command : {measure, serve_device}) {
        const ProgramResult result = run(command);
        EXPECT_EQ(result.code, 2);
        EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
        EXPECT_NE(result.output.find("core 1023 is not there"), std::string::npos) << result.output;
    }
}

TEST_F(Bridge, AStatusWithoutABridgeIsAnEnvironmentError) {
    const ProgramResult result = run({program("edgeloop-bridge"), "status", "--connect", address});
    EXPECT_EQ(result.code, 3);
}

TEST_F(Bridge, HoldsManyResultsInLittleMemory) {
    constexpr std::uint64_t results = 100'000;
    BridgeStoreOptions options;
    options.folder = folder.path("store");
    {
        BridgeStore store(options);
        MeasurementResult result;
        for (const char* name : {"latency_ms", "latency_p90_ms", "latency_min_ms", "latency_iqr_ms",
                                 "latency_samples", "peak_memory_mib"})
            result.metrics[name] = 1.5;
        result.record = std::string(600, ' ') + "{}";
        for (std::uint64_t id = 1; id <= results; ++id) store.add_result(id, result);
        store.commit();
    }
    const double start_time = steady_seconds();
    ChildProcess& bridge = start(serve());
    const Words ask{program("edgeloop-bridge"), "status", "--json", "--connect", address};
    const ProgramResult first = run(ask);
    const double up_time = steady_seconds();
    const ProgramResult second = run(ask);
    const double answer_time = steady_seconds();
    ASSERT_EQ(second.code, 0) << second.output;
    EXPECT_EQ(parse_json(second.output, "status").at("results"), results);
    std::ifstream file("/proc/" + std::to_string(bridge.pid()) + "/status");
    double peak_mib = 0;
    for (std::string line; std::getline(file, line);)
        if (line.rfind("VmHWM:", 0) == 0) peak_mib = std::stod(line.substr(6)) / 1024;
    EXPECT_GT(peak_mib, 0);
    EXPECT_LT(peak_mib, 100);
    EXPECT_LT(up_time - start_time, 2);
    EXPECT_LT(answer_time - up_time, 0.1);
    std::fprintf(stderr, "start to first answer %.2f s, status %.3f s, peak %.0f MiB\n",
                 up_time - start_time, answer_time - up_time, peak_mib);
}

}  // namespace
}  // namespace edgeloop::test
