#include "edgeloop/store/run_directory.hpp"

#include "store/journal.hpp"
#include "support/places.hpp"
#include "support/search_support.hpp"
#include "support/serial_evaluator.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/search/analytic.hpp"
#include "edgeloop/search/coordinator.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgeloop::run_directory_test {
namespace {

namespace fs = std::filesystem;

Outcome evaluate_zdt1(const Candidate& candidate) {
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.metrics = test::zdt1(candidate.genome);
    return outcome;
}

class RunDirectoryTest : public testing::Test {
  protected:
    RunDirectoryOptions options(StartMode mode, const Engine& engine) {
        RunDirectoryOptions options;
        options.path = path_;
        options.mode = mode;
        options.engine = &engine;
        options.config_text = config_text_;
        options.conditions = conditions_;
        options.allow_changed = allow_changed_;
        options.access = access_;
        return options;
    }

    /// One start of the program; stops after `evaluations` candidates of this start.
    std::uint64_t start(StartMode mode, std::uint64_t evaluations = 1000,
                        double snapshot_seconds = 0, std::uint64_t seed = 1) {
        settings_.seed = seed;
        const auto engine = make_engine(space_, settings_);
        const auto store = open_run(options(mode, *engine));
        std::uint64_t evaluated = 0;
        SerialEvaluator evaluator([&](const Candidate& candidate) {
            ++evaluated;
            return evaluate_zdt1(candidate);
        });
        SearchOptions search;
        search.snapshot_seconds = snapshot_seconds;
        search.should_stop = [&] { return evaluated >= evaluations; };
        try {
            (void)run_search(*engine, evaluator, nullptr, *store, search);
        } catch (const Stopped&) {
        }
        return evaluated;
    }

    /// A column of a table; its cells are not quoted.
    std::vector<std::string> column(const std::string& name, const std::string& title) {
        std::istringstream lines(file(name));
        std::vector<std::string> values;
        std::optional<std::size_t> index;
        for (std::string line; std::getline(lines, line);) {
            std::vector<std::string> cells(1);
            for (const char c : line)
                if (c == ',')
                    cells.emplace_back();
                else
                    cells.back() += c;
            if (index) values.push_back(cells.at(*index));
            for (std::size_t i = 0; !index && i < cells.size(); ++i)
                if (cells[i] == title) index = i;
            EXPECT_TRUE(index) << name << " has no column " << title;
            if (!index) break;
        }
        return values;
    }

    std::string file(const std::string& name) { return read_file(path_ + '/' + name); }

    std::vector<std::string> checkpoints() {
        std::vector<std::string> paths;
        for (const auto& entry : fs::directory_iterator(path_ + "/checkpoint"))
            paths.push_back(entry.path().string());
        std::sort(paths.begin(), paths.end());
        return paths;
    }

    test::TemporaryFolder folder_;
    std::string path_ = folder_.path("run");
    std::string config_text_ = "population = 8\n";
    RunConditions conditions_;
    bool allow_changed_ = false;
    Access access_ = Access::owner;
    SearchSpace space_ = test::unit_box(3);
    EngineSettings settings_ = test::box_settings(EngineKind::generational, 8, 40);
};

TEST_F(RunDirectoryTest, HoldsEverythingADirectoryShould) {
    EXPECT_EQ(start(StartMode::fresh), 40u);
    EXPECT_EQ(file("config.ini"), "population = 8\n");
    EXPECT_EQ(Json::parse(file("provenance.json")).at("identity").at("seed"), 1);
    const Json status = Json::parse(file("status.json"));
    EXPECT_EQ(status.at("phase"), "finished");
    EXPECT_EQ(status.at("done"), 40);
    const std::string evaluations = file("evaluations.csv");
    EXPECT_EQ(std::count(evaluations.begin(), evaluations.end(), '\n'), 41);
    EXPECT_EQ(file("pareto.csv").substr(0, 9), "id,f1,f2,");
    EXPECT_FALSE(fs::is_empty(path_ + "/checkpoint"));
}

TEST_F(RunDirectoryTest, TellsHowTheHypervolumeGrewThroughAResume) {
    start(StartMode::fresh, 20);
    start(StartMode::resume);
    std::istringstream table(file("progress.csv"));
    std::string line;
    std::getline(table, line);
    EXPECT_EQ(line, "time_ms,done,front,hypervolume,best_f1,best_f2");
    double last_done = -1, last_volume = -1;
    while (std::getline(table, line)) {
        std::vector<std::string> cells(1);
        for (const char c : line)
            c == ',' ? cells.emplace_back().clear() : cells.back().push_back(c);
        ASSERT_EQ(cells.size(), 6u) << line;
        EXPECT_GE(std::stod(cells[1]), last_done);
        last_done = std::stod(cells[1]);
        if (cells[3].empty()) continue;
        EXPECT_GE(std::stod(cells[3]), last_volume);
        last_volume = std::stod(cells[3]);
    }
    EXPECT_EQ(last_done, 40);
    EXPECT_EQ(last_volume, Json::parse(file("status.json")).at("hypervolume"));
}

TEST_F(RunDirectoryTest, ResumedRunsEndWithTheSameBytes) {
    start(StartMode::fresh);
    const std::string pareto = file("pareto.csv"), evaluations = file("evaluations.csv");
    for (std::uint64_t stop = 1; stop < 40; stop += 8) {
        fs::remove_all(path_);
        std::uint64_t evaluated = start(StartMode::fresh, stop, stop % 2 == 0 ? 0 : 1e9);
        evaluated += start(StartMode::resume);
        EXPECT_EQ(evaluated, 40u) << stop;
        EXPECT_EQ(file("pareto.csv"), pareto) << stop;
        EXPECT_EQ(file("evaluations.csv"), evaluations) << stop;
    }
}

// The model is sums over results in the order in which they came; a replay has to end with the
// same.
TEST_F(RunDirectoryTest, RunsWithAModelAreResumedFromJournalAndCheckpointToTheSameBytes) {
    for (const EngineKind kind : {EngineKind::generational, EngineKind::steady_state}) {
        settings_.kind = kind;
        settings_.surrogate.children = 10;
        settings_.ladder = {{1, 3}, 2};
        fs::remove_all(path_);
        start(StartMode::fresh);
        const std::string pareto = file("pareto.csv"), evaluations = file("evaluations.csv");
        for (std::uint64_t stop = 9; stop < 50; stop += 8) {
            for (const double snapshot_seconds : {0.0, 1e9}) {
                fs::remove_all(path_);
                start(StartMode::fresh, stop, snapshot_seconds);
                fs::remove_all(path_ + (snapshot_seconds > 0 ? "/checkpoint" : "/none"));
                start(StartMode::resume);
                EXPECT_EQ(file("pareto.csv"), pareto) << static_cast<int>(kind) << ' ' << stop;
                EXPECT_EQ(file("evaluations.csv"), evaluations)
                    << static_cast<int>(kind) << ' ' << stop;
            }
        }
    }
}

TEST_F(RunDirectoryTest, AJournalCutAtAnyPlaceLeadsToTheSameFront) {
    start(StartMode::fresh, 1000, 1e9);  // one checkpoint, at the end
    const std::string pareto = file("pareto.csv"), journal = file("journal.jsonl");
    for (std::size_t length = 0; length < journal.size(); length += 1777) {
        fs::remove_all(path_ + "/checkpoint");
        write_file_atomic(path_ + "/journal.jsonl", journal.substr(0, length));
        start(StartMode::resume);
        ASSERT_EQ(file("pareto.csv"), pareto) << length;
    }
}

TEST_F(RunDirectoryTest, RefusesToOverwriteARun) {
    start(StartMode::fresh, 5);
    EXPECT_THROW((void)start(StartMode::fresh), ConfigError);
}

// A mistake found between the making of the folder and the first candidate locked its name.
TEST_F(RunDirectoryTest, AStartWithoutACandidateLeavesItsNameFree) {
    const auto engine = make_engine(space_, settings_);
    { const auto opened = open_run(options(StartMode::fresh, *engine)); }
    { const auto again = open_run(options(StartMode::fresh, *engine)); }
    {
        const auto begun = open_run(options(StartMode::fresh, *engine));
        EXPECT_FALSE(begun->recover().has_value());  // the journal has its first line now
    }
    ASSERT_TRUE(fs::exists(path_ + "/journal.jsonl"));
    EXPECT_EQ(start(StartMode::fresh), 40u);
    EXPECT_THROW((void)start(StartMode::fresh), ConfigError);
    fs::remove(path_ + "/journal.jsonl");
    fs::remove_all(path_ + "/checkpoint");
    EXPECT_THROW((void)start(StartMode::fresh), ConfigError) << "its tables would be overwritten";
}

TEST_F(RunDirectoryTest, AResumeOfAStartWithoutACandidateIsAStart) {
    const auto engine = make_engine(space_, settings_);
    { const auto opened = open_run(options(StartMode::fresh, *engine)); }
    EXPECT_EQ(start(StartMode::resume), 40u);
}

TEST_F(RunDirectoryTest, RefusesToResumeWhatIsNotThereOrIsAnotherRun) {
    EXPECT_THROW((void)start(StartMode::resume), ConfigError);
    start(StartMode::fresh, 5);
    try {
        (void)start(StartMode::resume, 1000, 0, 2);
        FAIL() << "another seed was accepted";
    } catch (const ConfigError& error) {
        EXPECT_NE(error.problem().find("another seed: 1"), std::string::npos) << error.what();
    }
    settings_.goals.objectives = {"f2", "f1"};
    EXPECT_THROW((void)start(StartMode::resume), ConfigError);
    settings_.goals.objectives = {"f1", "f2"};
    space_ = test::unit_box(4);
    EXPECT_THROW((void)start(StartMode::resume), ConfigError);
}

TEST_F(RunDirectoryTest, AnEmptyFolderCanBeResumed) {
    make_directories(path_);
    EXPECT_EQ(start(StartMode::resume), 40u);
}

TEST_F(RunDirectoryTest, TheBudgetMayGrow) {
    start(StartMode::fresh);
    settings_.evaluations = 56;
    EXPECT_EQ(start(StartMode::resume), 16u);
}

TEST_F(RunDirectoryTest, ASecondProcessIsKeptOut) {
    const auto engine = make_engine(space_, settings_);
    const auto first = open_run(options(StartMode::fresh, *engine));
    EXPECT_THROW((void)open_run(options(StartMode::resume, *engine)), ConfigError);
}

TEST_F(RunDirectoryTest, ABadCheckpointFallsBackAndAllBadOnesAreReported) {
    start(StartMode::fresh, 20);
    start(StartMode::resume);
    const std::string pareto = file("pareto.csv");
    write_file_atomic(checkpoints().back(), "spoilt");
    EXPECT_EQ(start(StartMode::resume), 0u);
    EXPECT_EQ(file("pareto.csv"), pareto);
    for (const std::string& path : checkpoints()) write_file_atomic(path, "spoilt");
    EXPECT_THROW((void)start(StartMode::resume), CorruptState);
}

TEST_F(RunDirectoryTest, ACheckpointAheadOfTheJournalIsRefused) {
    start(StartMode::fresh);
    const std::string journal = file("journal.jsonl");
    write_file_atomic(path_ + "/journal.jsonl", journal.substr(0, journal.size() / 2));
    EXPECT_THROW((void)start(StartMode::resume), CorruptState);
}

/// Replaces a file of a stopped run by damaged versions of it.
class DamageTest : public RunDirectoryTest {
  protected:
    void SetUp() override {
        settings_.population = 4;
        settings_.evaluations = 12;
        start(StartMode::fresh, 3);
        start(StartMode::resume, 3);
        good_ = folder_.path("good");
        fs::copy(path_, good_, fs::copy_options::recursive);
        events_ = read_journal(path_ + "/journal.jsonl").events.size();
        start(StartMode::resume);
        front_ = file("pareto.csv");
        bring_back();
    }

    void bring_back() {
        fs::remove_all(path_);
        fs::copy(good_, path_, fs::copy_options::recursive);
    }

    [[nodiscard]] std::vector<std::string> state_files() const {
        std::vector<std::string> names{"journal.jsonl"};
        for (const auto& entry : fs::directory_iterator(good_ + "/checkpoint"))
            names.push_back("checkpoint/" + entry.path().filename().string());
        std::sort(names.begin(), names.end());
        return names;
    }

    /// Whether a resume refuses the damage, which it must in a journal that is shorter than its
    /// newest checkpoint says; damage in a checkpoint must make it fall back to another one.
    void expect_noticed(const std::string& name, const std::string& damaged) {
        std::ofstream(path_ + '/' + name, std::ios::binary) << damaged;
        const auto engine = make_engine(space_, settings_);
        const auto store = open_run(options(StartMode::resume, *engine));
        if (name == "journal.jsonl") {
            EXPECT_THROW((void)store->recover(), CorruptState);
            return;
        }
        const std::optional<Recovery> recovery = store->recover();
        ASSERT_TRUE(recovery && recovery->snapshot);
        ASSERT_LE(recovery->events.size(), events_);
    }

    void expect_same_front() {
        start(StartMode::resume);
        EXPECT_EQ(file("pareto.csv"), front_);
    }

    std::string good_, front_;
    std::size_t events_ = 0;
};

TEST_F(DamageTest, AFileTruncatedAtAnyLengthIsNeverLoadedWrongly) {
    ASSERT_GT(state_files().size(), 2u);
    for (const std::string& name : state_files()) {
        const std::string bytes = read_file(good_ + '/' + name);
        // Each opens a run, with what that syncs to the disk: of a long file a step that meets
        // every place within its fields, both ends in full.
        const std::size_t end = 200, step = bytes.size() < 4 * end ? 1 : 7;
        for (std::size_t length = 0; length < bytes.size();
             length += length < end || length + end >= bytes.size() ? 1 : step)
            ASSERT_NO_FATAL_FAILURE(expect_noticed(name, bytes.substr(0, length)))
                << name << " at " << length;
        if (name != "journal.jsonl") expect_same_front();
        bring_back();
    }
}

TEST_F(DamageTest, FlippedBitsAreNeverLoaded) {
    RandomStream random(1, "bit flips");
    const std::vector<std::string> names = state_files();
    for (int i = 0; i < 2000; ++i) {
        const std::string& name = names[random.below(names.size())];
        const std::string bytes = read_file(good_ + '/' + name);
        const std::uint64_t bit = random.below(8 * bytes.size());
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_NO_FATAL_FAILURE(expect_noticed(name, flipped)) << name << " bit " << bit;
        if (i % 200 == 0 && name != "journal.jsonl") {
            expect_same_front();
            bring_back();
        }
        std::ofstream(path_ + '/' + name, std::ios::binary) << bytes;
    }
}

TEST(FormatVersions, ARunOfTheVersionBeforeIsContinued) {
    const test::TemporaryFolder folder;
    const Problem problem = find_problem("zdt1");
    const SearchSpace space = problem.space();
    EngineSettings settings = test::box_settings(EngineKind::generational, 8, 200, 3);
    settings.pruning.optimism = 0.1;
    settings.goals = goals_of(problem);
    std::vector<std::string> fronts;
    for (const char* name : {"old", "new"}) {
        RunDirectoryOptions options;
        options.path = folder.path(name);
        options.mode = name == std::string("old") ? StartMode::resume : StartMode::fresh;
        if (options.mode == StartMode::resume)
            fs::copy(test::test_data("store/v1"), options.path, fs::copy_options::recursive);
        const auto engine = make_engine(space, settings);
        options.engine = engine.get();
        const auto store = open_run(options);
        std::uint64_t evaluated = 0;
        SerialEvaluator evaluator([&](const Candidate& candidate) {
            ++evaluated;
            return evaluate(problem, candidate);
        });
        (void)run_search(*engine, evaluator, nullptr, *store);
        EXPECT_EQ(evaluated, options.mode == StartMode::resume ? 167u : 200u);
        fronts.push_back(read_file(options.path + "/pareto.csv"));
    }
    EXPECT_EQ(fronts[0], fronts[1]);
    EXPECT_NE(read_file(folder.path("old") + "/journal.jsonl").find(R"("version":2)"),
              std::string::npos);
}

TEST_F(RunDirectoryTest, EachResultSaysUnderWhichConditionsItWasMade) {
    conditions_.training = {{"threads", "1"}};
    start(StartMode::fresh, 20);
    conditions_.training = {{"threads", "2"}};
    try {
        (void)start(StartMode::resume);
        FAIL() << "other threads were accepted";
    } catch (const ConfigError& error) {
        EXPECT_NE(error.problem().find("--threads 1, now 2"), std::string::npos) << error.what();
    }
    allow_changed_ = true;
    start(StartMode::resume, 12);
    allow_changed_ = false;
    start(StartMode::resume);  // as the last time
    const std::vector<std::string> numbers = column("evaluations.csv", "conditions");
    ASSERT_EQ(numbers.size(), 40u);
    EXPECT_EQ(std::count(numbers.begin(), numbers.end(), "1"), 20);
    EXPECT_EQ(std::count(numbers.begin(), numbers.end(), "2"), 20);
    EXPECT_EQ(numbers.front(), "1");
    EXPECT_EQ(numbers.back(), "2");
    EXPECT_FALSE(column("pareto.csv", "conditions").empty());
    EXPECT_EQ(Json::parse(file("conditions.json")).at("current"), 2);
    const Json starts = Json::parse(file("provenance.json")).at("starts");
    ASSERT_EQ(starts.size(), 3u);
    EXPECT_EQ(starts[0].at("conditions"), 1);
    EXPECT_EQ(starts[2].at("conditions"), 2);
    write_file_atomic(path_ + "/conditions.json", "{}");
    EXPECT_THROW((void)start(StartMode::resume), CorruptState);
}

TEST_F(RunDirectoryTest, ConfigFilesOfEarlierStartsAreKept) {
    start(StartMode::fresh, 5);
    start(StartMode::resume, 5);
    EXPECT_FALSE(fs::exists(path_ + "/config-1.ini")) << "nothing was changed";
    config_text_ = "# another build\npopulation = 8\n";
    start(StartMode::resume, 5);
    EXPECT_FALSE(fs::exists(path_ + "/config-1.ini")) << "nothing was changed";
    config_text_ = "population = 8\nresume = true\n";
    start(StartMode::resume, 5);
    EXPECT_EQ(file("config.ini"), config_text_);
    EXPECT_EQ(file("config-1.ini"), "# another build\npopulation = 8\n");
}

TEST_F(RunDirectoryTest, DeviceRecordsGoIntoTheProvenance) {
    const auto engine = make_engine(space_, settings_);
    const auto store = open_run(options(StartMode::fresh, *engine));
    store->add_devices({R"({"name":"board"})"});
    EXPECT_EQ(Json::parse(file("provenance.json")).at("devices").at(0).at("name"), "board");
}

TEST_F(RunDirectoryTest, ADeviceThatCallsItselfEachTimeAnotherFillsNoProvenance) {
    const auto engine = make_engine(space_, settings_);
    const auto store = open_run(options(StartMode::fresh, *engine));
    std::vector<std::string> records;
    for (int i = 0; i < 500; ++i) records.push_back(Json{{"name", i}}.dump());
    store->add_devices(records);
    store->add_devices({R"({"name":"one more"})"});
    EXPECT_EQ(Json::parse(file("provenance.json")).at("devices").size(), 200u);
}

TEST_F(RunDirectoryTest, AResumeAddsItsDevicesToThoseOfBefore) {
    const auto engine = make_engine(space_, settings_);
    {
        const auto store = open_run(options(StartMode::fresh, *engine));
        (void)store->recover();
        store->record(Proposed{*engine->ask()});
        store->commit();
        store->add_devices({R"({"name":"a","conditions":{"load_1min":1}})", R"({"name":"b"})"});
    }
    const auto store = open_run(options(StartMode::resume, *engine));
    (void)store->recover();
    store->add_devices({R"({"name":"a","conditions":{"load_1min":2}})", R"({"name":"c"})"});
    std::vector<std::string> names;
    const Json provenance = Json::parse(file("provenance.json"));
    for (const Json& device : provenance.at("devices")) names.push_back(device.at("name"));
    EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(RunDirectoryTest, TheTablesSayWhoMeasuredAlsoAfterAResume) {
    const auto engine = make_engine(space_, settings_);
    const Candidate candidate = *engine->ask();
    {
        const auto store = open_run(options(StartMode::fresh, *engine));
        (void)store->recover();
        store->record(Proposed{candidate});
        PartDone part;
        part.part = Part::measuring;
        part.outcome.id = candidate.id;
        part.outcome.device = "board";
        part.outcome.record = R"({"before":{"governor":"performance"}})";
        store->record(part);
        store->commit();
    }
    const auto store = open_run(options(StartMode::resume, *engine));
    const auto recovery = store->recover();
    ASSERT_EQ(recovery->events.size(), 2u);
    const auto& outcome = std::get<PartDone>(recovery->events[1]).outcome;
    EXPECT_EQ(Json::parse(outcome.record).at("before").at("governor"), "performance");
    Told told;
    told.completed.candidate = candidate;
    store->record(told);
    store->publish({}, {}, true);
    EXPECT_NE(file("evaluations.csv").find(",board,"), std::string::npos);
}

// --- for whom it is

unsigned mode_of(const fs::path& path) {
    return static_cast<unsigned>(fs::symlink_status(path).permissions());
}

/// Modes of all that is in a run directory; of the lock nobody makes use.
void expect_modes(const std::string& run, unsigned folders, unsigned files) {
    EXPECT_EQ(mode_of(run), folders);
    for (const auto& entry : fs::recursive_directory_iterator(run)) {
        if (entry.path().filename() == ".lock") continue;
        EXPECT_EQ(mode_of(entry.path()), entry.is_directory() ? folders : files) << entry.path();
    }
}

TEST_F(RunDirectoryTest, IsForItsOwnerOrSharedWithTheGroup) {
    for (const mode_t mask : {0000U, 0077U}) {
        const mode_t before = ::umask(mask);
        access_ = Access::owner;
        start(StartMode::fresh, 20);
        expect_modes(path_, 0700, 0600);
        access_ = Access::group;
        start(StartMode::resume);  // all that is read is written anew
        EXPECT_EQ(mode_of(path_), 0750U);
        EXPECT_EQ(mode_of(path_ + "/checkpoint"), 0750U);
        for (const char* name : {"journal.jsonl", "progress.csv", "pareto.csv", "config.ini"})
            EXPECT_EQ(mode_of(path_ + '/' + name), 0640U) << name;
        fs::remove_all(path_);
        start(StartMode::fresh);
        expect_modes(path_, 0750, 0640);
        fs::remove_all(path_);
        ::umask(before);
    }
}

TEST_F(RunDirectoryTest, OneFromBeforeThatAllMayReadIsContinued) {
    start(StartMode::fresh, 20);
    for (const auto& entry : fs::recursive_directory_iterator(path_))
        fs::permissions(entry.path(), fs::perms(entry.is_directory() ? 0755 : 0644));
    fs::permissions(path_, fs::perms(0755));
    EXPECT_EQ(start(StartMode::resume), 20u);
    EXPECT_EQ(mode_of(path_), 0755U) << "a folder that is there is its owner's affair";
    for (const char* name : {"journal.jsonl", "progress.csv", "pareto.csv", "status.json"})
        EXPECT_EQ(mode_of(path_ + '/' + name), 0600U) << name;
}

TEST_F(RunDirectoryTest, LinksInItAreNotWrittenThrough) {
    start(StartMode::fresh, 20);
    const auto lead_out = [&](const std::string& name) {
        fs::rename(path_ + '/' + name, folder_.path(name));
        fs::create_symlink(folder_.path(name), path_ + '/' + name);
        return read_file(folder_.path(name));
    };
    for (const std::string name : {"status.json", "pareto.csv", "evaluations.csv", "config.ini",
                                   "conditions.json", "provenance.json"}) {
        const std::string before = lead_out(name);
        start(StartMode::resume, 1);
        EXPECT_FALSE(fs::is_symlink(path_ + '/' + name)) << name;
        EXPECT_EQ(read_file(folder_.path(name)), before) << name;
    }
    for (const std::string name : {"journal.jsonl", "progress.csv"}) {
        const std::string before = lead_out(name);
        EXPECT_THROW((void)start(StartMode::resume), ConfigError) << name;
        EXPECT_EQ(read_file(folder_.path(name)), before) << name;
        fs::rename(folder_.path(name), path_ + '/' + name);
    }
    fs::create_directories(path_ + "/models");
    fs::create_directories(folder_.path("models/7"));
    write_file_atomic(folder_.path("models/7/spec.json"), "somebody's");
    for (const std::string name : {"checkpoint", "models"}) {
        fs::rename(path_ + '/' + name, folder_.path("kept"));
        fs::create_directory_symlink(folder_.path(name == "models" ? "models" : "kept"),
                                     path_ + '/' + name);
        EXPECT_THROW((void)start(StartMode::resume), ConfigError) << name;
        fs::remove(path_ + '/' + name);
        fs::rename(folder_.path("kept"), path_ + '/' + name);
    }
    fs::create_directory_symlink(folder_.path("models/7"), path_ + "/models/7");
    EXPECT_THROW((void)start(StartMode::resume), ConfigError);
    EXPECT_EQ(read_file(folder_.path("models/7/spec.json")), "somebody's");
    fs::remove(path_ + "/models/7");
    EXPECT_GT(start(StartMode::resume), 0u) << "all else is well";
}

TEST_F(RunDirectoryTest, PipesInItAreNotWaitedFor) {
    start(StartMode::fresh, 20);
    const std::string checkpoint = fs::path(checkpoints().back()).filename().string();
    const std::vector<std::string> names{
        "journal.jsonl", "conditions.json",          "provenance.json", "config.ini",
        ".lock",         "checkpoint/" + checkpoint, "status.json"};
    for (const std::string& name : names) {
        fs::rename(path_ + '/' + name, folder_.path("kept"));
        ASSERT_EQ(::mkfifo((path_ + '/' + name).c_str(), 0600), 0);
        EXPECT_THROW((void)start(StartMode::resume, 1), Error) << name;
        fs::rename(folder_.path("kept"), path_ + '/' + name);
    }
}

TEST_F(RunDirectoryTest, OneOfAnotherUserIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be two users";
    constexpr uid_t nobody = 65534, somebody = 12345;
    start(StartMode::fresh, 5);
    fs::permissions(folder_.root(), fs::perms(0755));
    ASSERT_EQ(::chown(path_.c_str(), somebody, somebody), 0);
    const auto engine = make_engine(space_, settings_);
    ASSERT_EQ(::seteuid(nobody), 0);
    for (const StartMode mode : {StartMode::fresh, StartMode::resume})
        EXPECT_THROW((void)open_run(options(mode, *engine)), ConfigError);
    ASSERT_EQ(::seteuid(0), 0);
}

// A device says what it likes, and what is kept of it lies deeper in the files of the run.
TEST_F(RunDirectoryTest, ARecordAsDeepAsARecordMayBeDoesNotKeepARunFromGoingOn) {
    const auto engine = make_engine(space_, settings_);
    const std::string record = R"({"name":)" + std::string(deepest_json - 2, '[') +
                               std::string(deepest_json - 2, ']') + '}';
    {
        const auto store = open_run(options(StartMode::fresh, *engine));
        (void)store->recover();
        const Candidate candidate = *engine->ask();
        store->record(Proposed{candidate});
        PartDone part;
        part.part = Part::measuring;
        part.outcome.id = candidate.id;
        part.outcome.record = record;
        store->record(part);
        store->commit();
        store->add_devices({record});
    }
    const auto store = open_run(options(StartMode::resume, *engine));
    const auto recovery = store->recover();
    ASSERT_EQ(recovery->events.size(), 2u);
    EXPECT_EQ(Json::parse(std::get<PartDone>(recovery->events[1]).outcome.record),
              Json::parse(record));
}

}  // namespace
}  // namespace edgeloop::run_directory_test
