#include "apps/search_task.hpp"
#include "support/search_support.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::apps::run_conditions_test {
namespace {

using cli::Scope;
using cli::Setting;
using ::testing::HasSubstr;

// The configuration of these words, or nothing when they are refused.
std::optional<SearchConfig> config_of(const std::vector<std::string>& more) {
    std::vector<std::string> words{
        "edgeloop-search",   "--data",         "shards", "--run-dir", "run", "--edge",
        "tcp://127.0.0.1:9", "--device-class", "board"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    SearchConfig config;
    try {
        (void)parse_search_config(static_cast<int>(argv.size()), argv.data(), config);
    } catch (const ConfigError&) {
        return std::nullopt;
    }
    return config;
}

SearchTask made_up_task() {
    SearchTask task{test::unit_box(2), test::box_settings(EngineKind::random, 4, 8)};
    task.measures_latency = true;
    task.data_digest = "d1";
    return task;
}

class RunConditionsTest : public testing::Test {
  protected:
    RunConditionsTest() { (void)open(StartMode::fresh, *config_of({}), made_up_task(), false); }

    /// What a start says; empty: it is let go on.
    std::string open(StartMode mode, const SearchConfig& config, const SearchTask& task,
                     bool allow_changed) {
        const auto engine = make_engine(task.space, task.engine);
        RunDirectoryOptions options;
        options.path = folder_.path("run");
        options.mode = mode;
        options.conditions = run_conditions(config, task);
        options.earlier = conditions_in_files(options.path);
        options.allow_changed = allow_changed;
        options.config_text = "seed = 1\n";
        options.engine = engine.get();
        try {
            const auto directory = open_run(options);
            if (mode == StartMode::fresh) {  // a run begins with the first event
                (void)directory->recover();
                directory->record(Note{"begun", 0, ""});
                directory->commit();
            }
        } catch (const ConfigError& error) {
            return error.what();
        }
        return {};
    }

    std::string resume(const SearchConfig& config, bool allow_changed = false) {
        return open(StartMode::resume, config, made_up_task(), allow_changed);
    }

    test::TemporaryFolder folder_;
};

// Options that the words above have already, or that come in pairs.
std::optional<SearchConfig> unchecked(const std::string& name, const std::string& value) {
    SearchConfig config = *config_of({});
    if (name == "edge")
        config.edge = "model";
    else if (name == "device-class")
        config.device_classes = {value};
    else if (name == "edge-keys")
        config.edge_keys = value;
    else if (name == "model-children")
        config.engine.surrogate.children = 2;
    else if (name == "simulate-workers")
        config.simulated_workers = 3;
    else if (name == "simulate-sigma")
        config.simulated_sigma = 0.3;
    else
        return std::nullopt;
    return config;
}

// Another value of an option that these words accept.
std::optional<SearchConfig> changed(const Setting& option) {
    for (const char* value :
         {"true",   "2",      "0.3",     "7",    "other",       "cpu",    "USR2",
          "debug",  "model",  "onnx",    "cuda", "none",        "plain",  "never",
          "random", "repeat", "9epochs", "spec", "synthesised", "placed", "false"}) {
        std::optional<SearchConfig> config = config_of({"--" + option.name + "=" + value});
        if (!config) config = unchecked(option.name, value);
        if (!config) continue;
        for (const Setting& each : search_settings(*config))
            if (each.name == option.name && each.values != option.values) return config;
    }
    return std::nullopt;
}

TEST_F(RunConditionsTest, EveryOptionIsRefusedOrLetThroughAsItsClassSays) {
    // What these name is looked at, not the name; see below.
    const std::set<std::string> by_content{
        "space",      "data",  "problem",  "objectives", "constraint", "seed-specs",   "run-dir",
        "table-spec", "genes", "measured", "counted",    "fidelities", "epoch-seconds"};
    int refused = 0;
    for (const Setting& option : search_settings(*config_of({}))) {
        if (by_content.count(option.name) > 0) continue;
        const auto config = changed(option);
        ASSERT_TRUE(config) << "no other value for --" << option.name;
        const std::string said = resume(*config);
        if (option.scope == Scope::none || option.scope == Scope::run) {
            EXPECT_EQ(said, "") << option.name;
            continue;
        }
        ++refused;
        EXPECT_THAT(said, HasSubstr("was begun with --" + option.name + " ")) << option.name;
        EXPECT_THAT(said, HasSubstr(", now ")) << option.name;
        if (option.scope == Scope::engine) {
            EXPECT_THAT(resume(*config, true), HasSubstr("--" + option.name)) << "for no price";
        }
    }
    EXPECT_GE(refused, 25);
}

TEST_F(RunConditionsTest, FilesCountByTheirContent) {
    const SearchConfig config = *config_of({});
    const auto with = [&](const std::function<void(SearchTask&)>& change) {
        SearchTask task = made_up_task();
        change(task);
        return open(StartMode::resume, config, task, false);
    };
    EXPECT_THAT(with([](SearchTask& task) { task.data_digest = "d2"; }),
                HasSubstr("--data d1, now d2"));
    EXPECT_THAT(with([](SearchTask& task) {
                    task.engine.first.push_back({{0.5, 0.5}});
                }),
                HasSubstr("--seed-specs (none), now 1 designs"));
    EXPECT_THAT(with([](SearchTask& task) { task.engine.goals.objectives = {"f2"}; }),
                HasSubstr("--objectives f1 f2, now f2"));
    EXPECT_THAT(with([](SearchTask& task) {
                    task.engine.goals.constraints = {parse_constraint("f1<=0.5")};
                }),
                HasSubstr("--constraint (none), now f1<=0.5"));
    SearchConfig moved = config;
    moved.training.shards = "elsewhere";
    moved.edge = "tcp://127.0.0.1:10";
    EXPECT_EQ(resume(moved), "") << "the same data and devices at another place";
    moved.edge = "local";
    EXPECT_THAT(resume(moved), HasSubstr("--edge remote, now local"));
    SearchConfig table = config, elsewhere = config;
    table.problem = "table:a.tsv";
    elsewhere.problem = "table:b.tsv.gz";
    elsewhere.genes = {"op"};
    SearchTask task = made_up_task();
    EXPECT_EQ(run_conditions(table, task).search, run_conditions(elsewhere, task).search);
    task.data_digest = "d2";
    EXPECT_NE(run_conditions(table, task).search, run_conditions(table, made_up_task()).search);
    SearchConfig problem = config;
    problem.problem = "zdt2";
    EXPECT_THAT(resume(problem), HasSubstr("--problem (none), now zdt2"));
}

TEST_F(RunConditionsTest, WhatIsAllowedToChangeIsNumbered) {
    SearchConfig two = *config_of({"--threads=2"});
    const auto numbers = [&] {
        return read_json_file(folder_.path("run/conditions.json")).at("conditions").size();
    };
    const SearchTask task = made_up_task();
    const auto start = [&](const SearchConfig& config) {
        const auto engine = make_engine(task.space, task.engine);
        RunDirectoryOptions options;
        options.path = folder_.path("run");
        options.mode = StartMode::resume;
        options.conditions = run_conditions(config, task);
        options.allow_changed = true;
        options.engine = engine.get();
        const auto directory = open_run(options);
        (void)directory->recover();
        return read_json_file(folder_.path("run/conditions.json")).at("current").get<int>();
    };
    EXPECT_EQ(numbers(), 1u);
    EXPECT_EQ(start(two), 2);
    EXPECT_EQ(resume(two), "") << "it is what was in force last";
    EXPECT_THAT(resume(*config_of({})), HasSubstr("--threads 2, now 1"));
    EXPECT_EQ(start(*config_of({})), 1) << "known already";
    EXPECT_EQ(numbers(), 2u);
}

TEST_F(RunConditionsTest, ARunFromBeforeTheRecordsIsKnownByItsConfigFile) {
    std::filesystem::remove(folder_.path("run/conditions.json"));
    write_file_atomic(
        folder_.path("run/config.ini"),
        "# edgeloop-search 0.1.0\n\n# compute threads per rank\nthreads = 4\n"
        "\n# an option of old\nbygone = 3\n\n# class\n#device-class =\nedge = bind:ipc:///x\n");
    EXPECT_THAT(resume(*config_of({})), HasSubstr("--engine generational, now model-based"));
    EXPECT_THAT(resume(*config_of({"--engine=generational", "--confirm=0"})),
                HasSubstr("--threads 4, now 1"));
    EXPECT_THAT(resume(*config_of({"--engine=generational", "--threads=4"})),
                HasSubstr("--confirm 0, now 3"));
    EXPECT_THAT(resume(*config_of({"--engine=generational", "--threads=4", "--confirm=0"})),
                HasSubstr("--device-class (none), now board"));
    SearchConfig same = *config_of({"--engine=generational", "--threads=4", "--confirm=0"});
    EXPECT_THAT(resume(same), HasSubstr("--margin 0, now 6"));
    EXPECT_THAT(resume(same), HasSubstr("--short-lines pad, now skip"));
    EXPECT_THAT(resume(same), HasSubstr("--normalise spec, now data"));
    EXPECT_THAT(resume(same), HasSubstr("--augment false, now true"));
    same.training.margin = 0;
    same.training.short_lines = ShortLines::pad;
    same.training.augment = false;
    same.normalise_by_data = false;
    same.device_classes.clear();
    EXPECT_EQ(resume(same), "") << "what it does not name had its default";
    same.training.patience_epochs = 5;
    EXPECT_THAT(resume(same), HasSubstr("--patience 0, now 5"));
    std::filesystem::remove(folder_.path("run/config.ini"));
    EXPECT_EQ(resume(*config_of({})), "");
}

}  // namespace
}  // namespace edgeloop::apps::run_conditions_test
