#include "support/places.hpp"
#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/evolution/hypervolume.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;

const std::string shards = e2e_data("shards");

Words search_of_twelve(const std::string& run_dir, const Words& more = {}) {
    return small_search(run_dir, with_defaults({{"--evaluations", "12"}}, more));
}

std::string front_of(const std::string& run_dir) { return read_file(run_dir + "/pareto.csv"); }

std::size_t lines_containing(const std::string& path, const std::string& needle) {
    std::istringstream lines(read_file(path));
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);)
        count += line.find(needle) != std::string::npos ? 1 : 0;
    return count;
}

TEST(Search, SolvesZdt1OnThreeRanks) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto result = run(mpirun(
        3, {program("edgeloop-search"), "--engine", "generational", "--problem", "zdt1",
            "--population", "100", "--evaluations", "25000", "--seed", "1", "--run-dir", dir}));
    ASSERT_EQ(result.code, 0) << result.output;
    const auto table = read_table(dir + "/pareto.csv");
    const auto f1 = column(table, "f1"), f2 = column(table, "f2");
    std::vector<std::vector<double>> points;
    for (std::size_t i = 0; i < f1.size(); ++i)
        points.push_back({std::stod(f1[i]), std::stod(f2[i])});
    EXPECT_GT(hypervolume(points, {1.1, 1.1}), 0.865);
    EXPECT_EQ(read_json_file(dir + "/status.json").at("done"), 25000);
}

// The path that a GPU takes, on the CPU: a training of every family.
TEST(Search, TrainsOnTheKernelsOfAGpuInMixedPrecisionAndSaysOnWhat) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto result = run(mpirun(
        3, small_search(dir, {"--space", test_data("families_space.json"), "--population", "18",
                              "--evaluations", "18", "--ranks-per-candidate", "2", "--kernels",
                              "library", "--mixed-precision", "--device", "cpu"})));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("training on CPU (2 ranks)"));
    EXPECT_EQ(read_json_file(dir + "/provenance.json").at("trains_on"), "CPU (2 ranks)");
    const auto table = read_table(dir + "/evaluations.csv");
    const auto status = column(table, "status"), family = column(table, "family");
    EXPECT_EQ(std::count(status.begin(), status.end(), "completed"), 18) << result.output;
    EXPECT_EQ(std::set<std::string>(family.begin(), family.end()).size(), 3u);
}

TEST(Search, RefusesADeviceThatIsNotThereBeforeItMakesAnything) {
    const TemporaryFolder folder;
    const auto refused = [&](const Words& more) {
        const std::string dir = folder.path("run");
        Words words = search_of_twelve(dir, {"--log-level", "warning"});
        words.insert(words.end(), more.begin(), more.end());
        const auto result = run(mpirun(2, words));
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_FALSE(std::filesystem::exists(dir));
        return result.output;
    };
    EXPECT_THAT(refused({"--kernels", "slow"}), HasSubstr("auto, fused, library or plain"));
    EXPECT_THAT(refused({"--kernels", "fused", "--device", "cuda"}), HasSubstr("are for CPUs"));
    if (std::filesystem::exists("/dev/nvidiactl")) GTEST_SKIP() << "this machine has a GPU";
    EXPECT_THAT(refused({"--mixed-precision"}), HasSubstr("add --device cpu"));
    EXPECT_THAT(refused({"--device", "cuda"}), HasSubstr("no CUDA device on rank 1"));
}

/// The shipped space with clips and widths that train in a moment.
std::string small_lowbit_space(const TemporaryFolder& folder) {
    Json space = read_json_file(in_source("src/space/spaces/cnn3d-lowbit.json"));
    for (Json& variable : space.at("variables")) {
        const std::string name = variable.at("name");
        const auto is = [&](const char* part) { return name.find(part) != std::string::npos; };
        if (is("clip.frames")) variable["choices"] = {4, 6};
        if (is("clip.stride")) variable["choices"] = Json::array({1});
        if (is("clip.side")) variable["choices"] = {12, 16};
        if (is("channels")) variable["choices"] = {2, 4};
        if (is("kernel")) variable["choices"] = Json::array({{1, 3, 3}});
        if (is("architecture.hidden.")) variable["choices"] = {4, 8};
    }
    write_file_atomic(folder.path("lowbit.json"), space.dump());
    return folder.path("lowbit.json");
}

TEST(Search, FindsBitsAndSaysHowSmallTheModelIs) {
    const TemporaryFolder folder;
    const std::string space = small_lowbit_space(folder), dir = folder.path("run");
    const auto result = run(mpirun(2, {program("edgeloop-search"),
                                       "--data",
                                       shards,
                                       "--space",
                                       space,
                                       "--run-dir",
                                       dir,
                                       "--edge",
                                       "none",
                                       "--objectives",
                                       "val_rmse",
                                       "model_kib",
                                       "--constraint",
                                       "bit_operations<=1e12",
                                       "--engine",
                                       "generational",
                                       "--confirm",
                                       "0",
                                       "--epochs",
                                       "2",
                                       "--population",
                                       "4",
                                       "--evaluations",
                                       "8",
                                       "--seed",
                                       "3"}));
    ASSERT_EQ(result.code, 0) << result.output;
    const auto table = read_table(dir + "/evaluations.csv");
    const auto status = column(table, "status"), kib = column(table, "model_kib"),
               parameters = column(table, "parameters"),
               operations = column(table, "bit_operations"), flops = column(table, "flops");
    int completed = 0;
    for (std::size_t i = 0; i < status.size(); ++i) {
        if (status[i] != "completed") continue;
        ++completed;
        EXPECT_GT(std::stod(kib[i]), 0);
        EXPECT_LT(std::stod(operations[i]), std::stod(flops[i]) / 2 * 8 * 8 + 1);
        EXPECT_GT(std::stod(parameters[i]), 0);
    }
    EXPECT_GE(completed, 6) << result.output;
    EXPECT_FALSE(column(read_table(dir + "/pareto.csv"), "model_kib").empty());
}

TEST(Search, LowBitsNeedARuntimeThatRunsThem) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto result = run({program("edgeloop-search"), "--data", shards, "--space",
                             "mixed-lowbit", "--run-dir", dir, "--edge", "model"});
    EXPECT_EQ(result.code, 2) << result.output;
    EXPECT_THAT(result.output, HasSubstr("the runtime 'eager' does not run"));
    EXPECT_THAT(result.output, HasSubstr("--measure-runtime native"));
    EXPECT_FALSE(std::filesystem::exists(dir));
}

TEST(Search, SameFrontOnOneToFourRanks) {
    const TemporaryFolder folder;
    const auto alone = run(search_of_twelve(folder.path("1")));
    ASSERT_EQ(alone.code, 0) << alone.output;
    for (int ranks : {1, 2, 3, 4}) {
        const std::string dir = folder.path("mpi" + std::to_string(ranks));
        const auto result = run(mpirun(ranks, search_of_twelve(dir)));
        ASSERT_EQ(result.code, 0) << result.output;
        EXPECT_EQ(front_of(dir), front_of(folder.path("1"))) << ranks << " ranks";
    }
    EXPECT_GE(read_table(folder.path("1") + "/pareto.csv").size(), 2u);
}

TEST(Search, ThePublishedSpaceOnSmallClipsHasTheSameFrontOnAnyNumberOfRanks) {
    const TemporaryFolder folder;
    Json space = read_json_file(in_source("src/space/spaces/hpc2edge.json"));
    space["base"]["clip"].update({{"frames", 8}, {"side", 32}});
    space["base"]["training"].update({{"batch", 4}, {"epochs", 1}});
    write_file_atomic(folder.path("space.json"), space.dump());
    std::vector<std::string> fronts;
    for (const int ranks : {1, 2, 4}) {
        const std::string dir = folder.path(std::to_string(ranks));
        const Words search = small_search(
            dir, {"--space", folder.path("space.json"), "--evaluations", "4", "--seed", "3"});
        const auto result = run(ranks == 1 ? search : mpirun(ranks, search));
        ASSERT_EQ(result.code, 0) << ranks << " ranks\n" << result.output;
        EXPECT_EQ(lines_containing(dir + "/evaluations.csv", ",completed,"), 4U) << ranks;
        fronts.push_back(front_of(dir));
    }
    EXPECT_EQ(fronts[1], fronts[0]);
    EXPECT_EQ(fronts[2], fronts[0]);
}

TEST(Search, KilledAndResumedEndsWithTheSameFront) {
    const TemporaryFolder folder;
    ASSERT_EQ(run(search_of_twelve(folder.path("whole"))).code, 0);

    const std::string dir = folder.path("killed");
    for (const std::size_t lines : {4u, 14u}) {
        ChildOptions options;
        options.arguments = mpirun(
            3, search_of_twelve(dir, std::filesystem::exists(dir) ? Words{"--resume"} : Words{}));
        options.output_file = folder.path("log");
        ChildProcess job(options);
        ASSERT_TRUE(wait_for_lines(dir + "/journal.jsonl", lines))
            << read_file(options.output_file);
        ::kill(-job.pid(), SIGKILL);  // the whole tree: mpirun's ranks are in its group
        ASSERT_TRUE(job.wait_for(20));
        // Ranks that outlive mpirun for a moment still hold the run's lock.
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    const auto resumed = run(mpirun(2, search_of_twelve(dir, {"--resume"})));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_EQ(front_of(dir), front_of(folder.path("whole")));
}

// Cutting and flipping at every place is tested in unit/store; here, what a user gets to see.
TEST(Search, ADamagedRunIsContinuedFromWhatIsSoundOrRefusedWithExit4) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto search = [&](const char* evaluations, const Words& more = {}) {
        Words words{program("edgeloop-search"),
                    "--engine",
                    "generational",
                    "--problem",
                    "zdt1",
                    "--population",
                    "20",
                    "--evaluations",
                    evaluations,
                    "--seed",
                    "1",
                    "--run-dir",
                    dir};
        words.insert(words.end(), more.begin(), more.end());
        return run(mpirun(2, words));
    };
    ASSERT_EQ(search("400").code, 0);
    const auto whole = front_of(dir);
    std::filesystem::remove_all(dir);
    ASSERT_EQ(search("200").code, 0);
    const std::string good = folder.path("good");
    std::filesystem::copy(dir, good, std::filesystem::copy_options::recursive);
    const auto damage = [&](const std::string& file) {
        std::string bytes = read_file(good + "/" + file);
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
        std::ofstream(dir + "/" + file, std::ios::binary) << bytes;
    };
    std::set<std::string> checkpoints;
    for (const auto& entry : std::filesystem::directory_iterator(good + "/checkpoint"))
        checkpoints.insert("checkpoint/" + entry.path().filename().string());
    ASSERT_GE(checkpoints.size(), 2u);

    damage(*checkpoints.rbegin());
    const auto continued = search("400", {"--resume"});
    ASSERT_EQ(continued.code, 0) << continued.output;
    EXPECT_EQ(front_of(dir), whole);

    for (const bool journal : {true, false}) {
        std::filesystem::remove_all(dir);
        std::filesystem::copy(good, dir, std::filesystem::copy_options::recursive);
        if (journal) damage("journal.jsonl");
        if (!journal) std::for_each(checkpoints.begin(), checkpoints.end(), damage);
        const auto refused = search("400", {"--resume"});
        EXPECT_EQ(refused.code, 4) << refused.output;
        EXPECT_THAT(refused.output, HasSubstr(journal ? "journal.jsonl" : "checkpoint"));
        EXPECT_THAT(refused.output, HasSubstr("restore the folder from a copy or start a new run"));
        EXPECT_EQ(front_of(dir), front_of(good)) << "a refused run is left as it is";
    }
}

TEST(Search, ATimeLimitStopsWithACheckpointAndExit75) {
    const TemporaryFolder folder;
    ASSERT_EQ(run(search_of_twelve(folder.path("whole"))).code, 0);
    const std::string dir = folder.path("limited");
    const auto stopped = run(mpirun(2, search_of_twelve(dir, {"--time-limit", "0.05"})));
    EXPECT_EQ(stopped.code, 75) << stopped.output;
    const auto resumed = run(mpirun(2, search_of_twelve(dir, {"--resume"})));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_EQ(front_of(dir), front_of(folder.path("whole")));
}

TEST(Search, AnAgentKilledInMidRunLosesNothing) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run"),
                      endpoint = "tcp://127.0.0.1:" + std::to_string(free_port());
    ChildOptions search;
    Words words = search_of_twelve(dir, {"--measure-seconds", "0.3"});
    *std::find(words.begin(), words.end(), "model") = "bind:" + endpoint;
    search.arguments = mpirun(2, words);
    search.output_file = folder.path("search.log");
    ChildOptions agent;
    agent.arguments = {program("edgeloop-edge"), "serve", "--connect", endpoint};
    agent.output_file = folder.path("agent.log");

    ChildProcess job(search);
    {
        ChildProcess first(agent);
        ASSERT_TRUE(wait_for_lines(dir + "/journal.jsonl", 8)) << read_file(search.output_file);
        ::kill(-first.pid(), SIGKILL);
    }
    ChildProcess second(agent);
    const auto exit = job.wait_for(240);
    ASSERT_TRUE(exit) << read_file(search.output_file) << read_file(agent.output_file);
    EXPECT_EQ(exit->code, 0) << read_file(search.output_file);
    const auto evaluations = read_table(dir + "/evaluations.csv");
    EXPECT_EQ(column(evaluations, "status"), Words(12, "completed"));
    for (const std::string& latency : column(evaluations, "latency_ms"))
        EXPECT_GT(std::stod(latency), 0);
    EXPECT_EQ(lines_containing(dir + "/provenance.json", "modelled"), 0u);
}

TEST(Search, RunsItsOwnAgent) {
    const TemporaryFolder folder;
    Words words = search_of_twelve(folder.path("run"), {"--measure-seconds", "0.3"});
    *std::find(words.begin(), words.end(), "model") = "local";
    const auto result = run(words);
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("12/12 designs"));
    for (const std::string& latency :
         column(read_table(folder.path("run") + "/pareto.csv"), "latency_ms"))
        EXPECT_GT(std::stod(latency), 0);
}

// Two training ranks on one CPU. mpirun has three slots in one case and leave to share one in the
// other.
TEST(Search, RanksShareCoresOnlyWithLeaveGivenToMpirun) {
    cpu_set_t own;
    ASSERT_EQ(::sched_getaffinity(0, sizeof own, &own), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &own)) ++cpu;
    const TemporaryFolder folder;
    const auto on_one_cpu = [&](const Words& launcher, const std::string& run_dir) {
        Words words{"/usr/bin/env", "-u",        "EDGELOOP_OVERSUBSCRIBE",
                    "taskset",      "-c",        std::to_string(cpu),
                    "mpirun",       "--bind-to", "none",
                    "-n",           "3"};
        if (::geteuid() == 0) words.emplace_back("--allow-run-as-root");
        words.insert(words.end(), launcher.begin(), launcher.end());
        const Words search = search_of_twelve(run_dir);
        words.insert(words.end(), search.begin(), search.end());
        return run(words);
    };
    const auto refused = on_one_cpu({"--host", "localhost:3"}, folder.path("refused"));
    EXPECT_NE(refused.code, 0);
    EXPECT_THAT(refused.output, HasSubstr("share 1 CPUs"));
    for (const Words& leave : {Words{"--oversubscribe"}, Words{"--map-by", ":OVERSUBSCRIBE"}}) {
        Words launcher{"--host", "localhost:1"};
        launcher.insert(launcher.end(), leave.begin(), leave.end());
        const auto allowed = on_one_cpu(launcher, folder.path(leave.front().substr(2)));
        EXPECT_EQ(allowed.code, 0) << leave.front() << '\n' << allowed.output;
    }
}

TEST(Search, TwoRanksTrainOneDesignTogether) {
    const TemporaryFolder folder;
    const auto result =
        run(mpirun(3, search_of_twelve(folder.path("run"), {"--ranks-per-candidate", "2"})));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(column(read_table(folder.path("run") + "/evaluations.csv"), "status"),
              Words(12, "completed"));
}

TEST(Search, PlansARunWithoutStartingIt) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const Words plan{"--plan", "--json", "--plan-seconds", "0.1", "--log-level", "error"};
    for (const int ranks : {1, 3}) {
        const auto words = search_of_twelve(dir, plan);
        const auto result = run(ranks == 1 ? words : mpirun(ranks, words));
        ASSERT_EQ(result.code, 0) << result.output;
        const Json json = parse_json(result.output.substr(result.output.find('{')), "plan");
        EXPECT_EQ(json.at("ranks"), ranks);
        EXPECT_EQ(json.at("groups"), ranks == 1 ? 1 : 2);
        EXPECT_EQ(json.at("trainings"), 12);
        EXPECT_GT(json.at("seconds"), 0);
        EXPECT_EQ(json.at("group_sizes").size(), ranks == 1 ? 1u : 2u);
        EXPECT_GE(json.at("calibration_trainings"), 4);
        EXPECT_LE(json.at("seconds_quartiles").at(0), json.at("seconds"));
        EXPECT_GE(json.at("seconds_quartiles").at(1), json.at("seconds"));
        EXPECT_TRUE(std::filesystem::is_empty(folder.root()));
    }
    // For a larger allocation, as text, with a device so slow that everything waits for it.
    Words words = search_of_twelve(dir, {"--plan", "--plan-seconds", "0.1", "--plan-ranks", "9",
                                         "--plan-device-seconds", "1000"});
    std::replace(words.begin(), words.end(), std::string("model"),
                 std::string("tcp://127.0.0.1:9"));
    const auto slow = run(words);
    ASSERT_EQ(slow.code, 0) << slow.output;
    EXPECT_THAT(slow.output, HasSubstr("12 designs on 9 ranks (8 groups of 1, 9 cores): 3:20:0"));
    EXPECT_THAT(slow.output, HasSubstr("half of such runs 3:20:0"));
    EXPECT_THAT(slow.output, HasSubstr("bottleneck: measuring; half of it would save 50 %"));
}

// States that a calibration left behind were taken for the run's own: trainings of the next plan
// ended as soon as they began, and so would those of the run.
TEST(Search, PlanningWithRungsLeavesNoTrainingStatesBehind) {
    const TemporaryFolder folder;
    const auto result = run(mpirun(
        3, search_of_twelve(folder.path("run"), {"--plan", "--plan-seconds", "0.1", "--rungs", "1",
                                                 "2", "--ranks-per-candidate", "2"})));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_TRUE(std::filesystem::is_empty(folder.root()));
}

// As README says for long trainings.
TEST(Search, AModelLedSearchClimbsRungsAndStopsTheHopeless) {
    const TemporaryFolder folder;
    Words words =
        search_of_twelve(folder.path("run"), {"--rungs", "1", "2", "4", "--prune-hopeless"});
    *std::find(words.begin(), words.end(), "generational") = "model-based";
    const auto result = run(mpirun(3, words));
    ASSERT_EQ(result.code, 0) << result.output;
    const auto table = read_table(folder.path("run") + "/evaluations.csv");
    EXPECT_EQ(column(table, "id").size(), 12u);
    const Words epochs = column(table, "epochs");
    const auto whole = std::count(epochs.begin(), epochs.end(), "4");
    EXPECT_GE(whole, 1);
    EXPECT_LE(whole, 2);  // 12 / 3², rounded up; some may be hopeless by then
    EXPECT_GE(std::count(epochs.begin(), epochs.end(), "1"), 1);
    EXPECT_FALSE(column(read_table(folder.path("run") + "/pareto.csv"), "id").empty());
}

TEST(Search, AModelChoosesWithAGivenReferencePointAndIsPartOfTheRun) {
    const TemporaryFolder folder;
    const auto search = [&](const std::string& dir, const Words& more) {
        Words all{"--model-children", "20", "--rungs", "1", "2", "--prune-hopeless"};
        all.insert(all.end(), more.begin(), more.end());
        return run(mpirun(3, search_of_twelve(folder.path(dir), all)));
    };
    const Words reference{"--reference", "0.4", "1"};
    ASSERT_EQ(search("run", reference).code, 0);
    EXPECT_EQ(read_json_file(folder.path("run") + "/status.json").at("reference"),
              Json::parse("[0.4, 1]"));
    ASSERT_EQ(search("again", reference).code, 0);
    EXPECT_EQ(front_of(folder.path("again")), front_of(folder.path("run")));
    const auto other = search("run", {"--reference", "0.5", "1", "--resume"});
    EXPECT_EQ(other.code, 2) << other.output;
    EXPECT_THAT(other.output, HasSubstr("--reference 0.4 1, now 0.5 1"));
}

TEST(Search, SaysWhatKeepingTheRunCost) {
    const TemporaryFolder folder;
    const auto result = run(mpirun(2, search_of_twelve(folder.path("run"))));
    ASSERT_EQ(result.code, 0) << result.output;
    EXPECT_THAT(result.output, HasSubstr("journal, checkpoints and tables took"));
    EXPECT_THAT(result.output, HasSubstr("rank 0 used"));
}

TEST(Search, LargeDesignsTrainOnMoreRanksWithTheSameFrontOnAnyNumber) {
    const TemporaryFolder folder;
    for (const int ranks : {3, 4, 5}) {
        const std::string dir = folder.path(std::to_string(ranks));
        const auto result = run(mpirun(ranks, search_of_twelve(dir, {"--large-ranks", "2"})));
        ASSERT_EQ(result.code, 0) << result.output;
        EXPECT_EQ(front_of(dir), front_of(folder.path("3"))) << ranks << " ranks";
    }
}

TEST(Search, PrintedConfigIsAValidConfigFile) {
    const TemporaryFolder folder;
    const auto printed = run(search_of_twelve(folder.path("run"), {"--print-config"}));
    ASSERT_EQ(printed.code, 0) << printed.output;
    write_file_atomic(folder.path("c.ini"), printed.output);
    const auto again =
        run({program("edgeloop-search"), "--config", folder.path("c.ini"), "--print-config"});
    EXPECT_EQ(again.code, 0);
    EXPECT_EQ(again.output, printed.output);
    EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
}

// Each mistake: exit code 2, one line that names it, and nothing written.
struct Mistake {
    std::string name;
    Words arguments;
    std::string says;
};

TEST(Search, BadInputIsRefusedWithOneClearLine) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    write_file_atomic(folder.path("broken.json"), "{\"name\": \"x\",,}");
    write_file_atomic(folder.path("broken.ini"), "populaton = 4\n");
    Json never = read_json_file(test_data("tiny_space.json"));
    never["constraints"] = {"1 > 2"};
    write_file_atomic(folder.path("never.json"), never.dump());
    const std::string damaged = folder.path("damaged");
    std::filesystem::copy(shards, damaged);
    std::filesystem::resize_file(damaged + "/shard-00000.h5", 10000);
    const std::vector<Mistake> mistakes{
        {"missing data", {"--data", folder.path("none"), "--run-dir", dir}, folder.path("none")},
        {"truncated shard", {"--data", damaged, "--run-dir", dir, "--edge", "none"}, "shard-00000"},
        {"unknown option",
         {"--data", shards, "--run-dir", dir, "--populatoin", "4"},
         "did you mean 'population'"},
        {"malformed space",
         {"--data", shards, "--run-dir", dir, "--space", folder.path("broken.json")},
         "line 1"},
        {"missing space",
         {"--data", shards, "--run-dir", dir, "--space", folder.path("none.json")},
         "none.json"},
        {"malformed config", {"--config", folder.path("broken.ini")}, "did you mean 'population'"},
        {"unknown problem", {"--problem", "zdt9", "--run-dir", dir}, "zdt9"},
        {"unknown objective",
         {"--problem", "zdt1", "--run-dir", dir, "--objectives", "f7", "f8"},
         "f7"},
        {"objective given twice",
         {"--problem", "zdt1", "--run-dir", dir, "--objectives", "f1", "f1"},
         "given twice"},
        {"reference of other dimensions",
         {"--problem", "zdt1", "--run-dir", dir, "--reference", "1.1"},
         "reference point has 1 values (there are 2 objectives)"},
        {"reference that is no number",
         {"--problem", "zdt1", "--run-dir", dir, "--reference", "1.1", "x"},
         "'--reference' got '1.1 x' (it takes a number"},
        {"no design allowed",
         {"--data", shards, "--run-dir", dir, "--space", folder.path("never.json")},
         "no design of the space may be trained (for instance: "},
        {"no design to plan with",
         {"--data", shards, "--run-dir", dir, "--space", folder.path("never.json"), "--plan"},
         "no design of the space may be trained (for instance: "},
        {"compared with baselines where there are none",
         {"--data", test_data("shards/v1"), "--run-dir", dir, "--space",
          test_data("tiny_space.json"), "--margin", "0", "--short-lines", "pad", "--constraint",
          "baseline_ratio<=1"},
         "baseline_ratio is asked for, and there is no baseline for windows of"},
        {"windows longer than the lines",
         {"--data", shards, "--run-dir", dir, "--margin", "300"},
         "with a margin of 300 they need lines of"},
        {"windows that leave out more than is allowed",
         {"--data", shards, "--run-dir", dir, "--margin", "20", "--max-left-out", "0"},
         "--max-left-out allows 0 %"},
        {"an unknown treatment of short lines",
         {"--data", shards, "--run-dir", dir, "--short-lines", "drop"},
         "it takes skip, repeat or pad"},
        {"no run to reuse",
         {"--data", shards, "--run-dir", dir, "--reuse", folder.path("none")},
         "no run to reuse"},
        {"descending rungs",
         {"--data", shards, "--run-dir", dir, "--rungs", "2", "1"},
         "write them like 1 3 9"},
        {"bad constraint",
         {"--data", shards, "--run-dir", dir, "--constraint", "latency<<3"},
         "latency<<3"},
        {"too many ranks",
         {"--data", shards, "--run-dir", dir, "--ranks-per-candidate", "5"},
         "ranks-per-candidate"},
        {"nothing to resume", {"--data", shards, "--run-dir", dir, "--resume"}, "resume"},
    };
    for (const Mistake& mistake : mistakes) {
        Words words{program("edgeloop-search")};
        words.insert(words.end(), mistake.arguments.begin(), mistake.arguments.end());
        for (const bool parallel : {false, true}) {
            const auto result = run(parallel ? mpirun(2, words) : words);
            EXPECT_EQ(result.code, 2) << mistake.name << "\n" << result.output;
            EXPECT_THAT(result.output, HasSubstr(mistake.says)) << mistake.name;
            std::istringstream lines(result.output);
            int errors = 0;
            for (std::string line; std::getline(lines, line);)
                errors += line.find(" error ") != std::string::npos ? 1 : 0;
            EXPECT_EQ(errors, 1) << mistake.name << (parallel ? " under mpirun\n" : "\n")
                                 << result.output;
        }
        EXPECT_FALSE(std::filesystem::exists(dir + "/journal.jsonl")) << mistake.name;
    }
}

TEST(Search, AnOccupiedRunDirectoryIsKept) {
    const TemporaryFolder folder;
    const Words words{program("edgeloop-search"),
                      "--problem",
                      "zdt1",
                      "--population",
                      "10",
                      "--evaluations",
                      "50",
                      "--run-dir",
                      folder.path("run")};
    ASSERT_EQ(run(words).code, 0);
    const std::string before = front_of(folder.path("run"));
    const auto second = run(words);
    EXPECT_EQ(second.code, 2);
    EXPECT_THAT(second.output, HasSubstr("--resume"));
    EXPECT_EQ(front_of(folder.path("run")), before);
}

}  // namespace
}  // namespace edgeloop::test
