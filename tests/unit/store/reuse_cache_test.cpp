#include "edgeloop/store/reuse_cache.hpp"

#include "support/serial_evaluator.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/search/coordinator.hpp"
#include "edgeloop/store/run_directory.hpp"

#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace edgeloop::reuse_cache_test {
namespace {

Outcome train(const Candidate& candidate) {
    Outcome outcome;
    outcome.id = candidate.id;
    outcome.metrics["val_rmse"] = 1.0 / static_cast<double>(1 + candidate.seed % 1000);
    outcome.seconds = 3;
    return outcome;
}

Outcome measure(const Candidate& candidate) {
    Outcome outcome;
    outcome.id = candidate.id;
    const Digest network = candidate.design->network_identity();
    outcome.metrics["latency_ms"] = 1 + static_cast<double>(network.low % 1000);
    return outcome;
}

class ReuseCacheTest : public testing::Test {
  protected:
    struct Counts {
        int trained = 0, measured = 0;
    };

    EngineSettings settings() const {
        EngineSettings settings;
        settings.confirm = confirm_;
        settings.population = 6;
        settings.evaluations = 18;
        settings.epochs = 2;
        settings.goals.objectives = {"val_rmse", "latency_ms"};
        return settings;
    }

    static RunConditions conditions(const std::string& data = "d1") {
        return {{}, {{"data", data}, {"threads", "1"}}, {{"edge", "model"}}};
    }

    ReuseOptions reuse() const {
        ReuseOptions options;
        options.space = &space_;
        options.engine = settings();
        options.conditions = conditions();
        return options;
    }

    /// @param metered  the device has a meter of energy.
    Counts run(const std::string& name, const ReuseCache* cache, bool metered = false) {
        const auto engine = make_engine(space_, settings());
        RunDirectoryOptions options;
        options.path = folder_.path(name);
        options.engine = engine.get();
        options.conditions = conditions();
        const auto store = open_run(options);
        Counts counts;
        SerialEvaluator evaluator([&](const Candidate& candidate) {
            ++counts.trained;
            Outcome outcome = train(candidate);
            if (spoil_training_) spoil_training_(outcome);
            return outcome;
        });
        ImmediateProbe probe(
            [&](const Candidate& candidate) {
                ++counts.measured;
                Outcome outcome = measure(candidate);
                if (metered) outcome.metrics["energy_mj"] = 2;
                if (spoil_latency_) spoil_latency_(outcome);
                return outcome;
            },
            "test");
        SearchOptions search;
        if (metered) search.measured[""] = {"latency_ms", "energy_mj"};
        if (cache)
            search.lookup = [&](const Part& part, const Candidate& each) {
                return cache->find(part, each);
            };
        (void)run_search(*engine, evaluator, &probe, *store, search);
        return counts;
    }

    std::size_t confirm_ = 0;
    std::function<void(Outcome&)> spoil_training_, spoil_latency_;  ///< what a run is told
    test::TemporaryFolder folder_;
    SearchSpace space_ = SearchSpace::from_file("quickstart");
};

TEST_F(ReuseCacheTest, ASecondRunOfTheSameDesignsCostsNothing) {
    EXPECT_EQ(run("first", nullptr).trained, 18);
    ReuseCache cache(reuse());
    const ReuseCount found = cache.add_run(folder_.path("first"));
    EXPECT_EQ(found.text("first"), "first: 18 trainings and 18 latencies can be reused");
    const Counts counts = run("second", &cache);
    EXPECT_EQ(counts.trained, 0);
    EXPECT_EQ(counts.measured, 0);
    EXPECT_EQ(read_file(folder_.path("second/pareto.csv")),
              read_file(folder_.path("first/pareto.csv")));
}

TEST_F(ReuseCacheTest, OtherDataReusesNoTrainingAndSaysSo) {
    (void)run("first", nullptr);
    ReuseOptions options = reuse();
    options.conditions = conditions("d2");
    ReuseCache cache(options);
    EXPECT_EQ(cache.add_run(folder_.path("first")).text("first"),
              "first: 0 trainings and 18 latencies can be reused; not 18 trainings made with "
              "--data d1, now d2");
    const Counts counts = run("second", &cache);
    EXPECT_EQ(counts.trained, 18);
    EXPECT_EQ(counts.measured, 0);
}

TEST_F(ReuseCacheTest, WhatThisSearchWillNeverAskForIsNotCounted) {
    (void)run("first", nullptr);
    const auto said = [&](const std::function<void(ReuseOptions&)>& change) {
        ReuseOptions options = reuse();
        change(options);
        ReuseCache cache(options);
        return cache.add_run(folder_.path("first")).text("first");
    };
    const std::string half = "first: 0 trainings and 18 latencies can be reused; not 18 trainings ";
    EXPECT_EQ(said([](ReuseOptions& options) { options.engine.seed = 9; }),
              half + "with another --seed");
    EXPECT_EQ(said([](ReuseOptions& options) { options.engine.epochs = 5; }),
              half + "of 2 epochs instead of 5");
    EXPECT_EQ(said([](ReuseOptions& options) {
                  options.engine.ladder.epochs = {2, 4};
              }),
              half + "of 2 epochs instead of 4");
    EXPECT_EQ(said([](ReuseOptions& options) { options.weights = true; }),
              half + "whose weights were not kept");
    const SearchSpace other = SearchSpace::from_file("cnn3d");
    EXPECT_EQ(said([&](ReuseOptions& options) { options.space = &other; }),
              "first: 0 trainings and 0 latencies can be reused; not 18 latencies of designs "
              "outside this space; not 18 trainings of designs outside this space");
    EXPECT_EQ(said([](ReuseOptions& options) { options.latencies = false; }),
              "first: 18 trainings and 0 latencies can be reused; not 18 latencies measured on a "
              "device that no --device-class names");
}

TEST_F(ReuseCacheTest, AMeasurementWithoutAMetricOfThisRunIsMadeAgain) {
    (void)run("unmetered", nullptr);
    ReuseOptions options = reuse();
    options.measured[""] = {"latency_ms", "energy_mj"};
    ReuseCache cache(options);
    EXPECT_EQ(cache.add_run(folder_.path("unmetered")).text("first"),
              "first: 18 trainings and 0 latencies can be reused; not 18 latencies without "
              "energy_mj");
    const Counts counts = run("metered", &cache, true);
    EXPECT_EQ(counts.trained, 0);
    EXPECT_EQ(counts.measured, 18);
    // What lacks it does not hide what has it.
    EXPECT_EQ(cache.add_run(folder_.path("metered")).latencies, 18u);
    EXPECT_EQ(run("again", &cache, true).measured, 0);
}

TEST_F(ReuseCacheTest, WhatNoPartDeliversIsNotTakenFromSomebodysRun) {
    spoil_latency_ = [](Outcome& outcome) {
        if (outcome.id % 3 == 0) outcome.metrics["val_rmse"] = 1e-9;
        if (outcome.id % 3 == 1) outcome.metrics["latency_ms"] = -1;
        outcome.device = "evil\x1b[2J";
    };
    spoil_training_ = [](Outcome& outcome) {
        outcome.metrics["val_rmse_speed_mm_s"] = 90;
        if (outcome.id % 2 == 0) outcome.metrics["made_up"] = 1;
    };
    (void)run("theirs", nullptr);
    ReuseOptions options = reuse();
    options.members = {"speed_mm_s"};
    ReuseCache cache(options);
    const ReuseCount found = cache.add_run(folder_.path("theirs"));
    EXPECT_EQ(found.trainings, 9u);
    EXPECT_EQ(found.latencies, 6u);
    ASSERT_EQ(found.left_out.size(), 2u) << "one reason for each part";
    EXPECT_EQ(found.left_out.begin()->first.rfind("latencies that cannot be, e.g. ", 0), 0u)
        << found.left_out.begin()->first;
    EXPECT_EQ(found.left_out.rbegin()->first,
              "trainings that cannot be, e.g. 'made_up' (1) is not what a training gives");
    const auto engine = make_engine(space_, settings());
    for (CandidateId id = 1; id <= 6; ++id) {  // the first population depends on no result
        const Candidate candidate = *engine->ask();
        ASSERT_EQ(candidate.id, id);
        EXPECT_EQ(cache.find(Part::training, candidate).has_value(), id % 2 == 1) << id;
        const auto measured = cache.find(Part::measuring, candidate);
        EXPECT_TRUE(measured || id % 3 != 2) << id;
        if (!measured) continue;
        EXPECT_GT(measured->metrics.at("latency_ms"), 0);
        EXPECT_EQ(measured->metrics.size(), 1u);
        EXPECT_EQ(measured->device, "evil\\u{1b}[2J");
    }
    options.members.clear();
    ReuseCache others(options);
    EXPECT_EQ(others.add_run(folder_.path("theirs")).trainings, 0u) << "of other targets";
}

TEST_F(ReuseCacheTest, WeightsOfAnEarlierRunAreFound) {
    (void)run("first", nullptr);
    make_directories(folder_.path("first/models/3"));
    make_directories(folder_.path("first/weights"));
    write_file_atomic(folder_.path("first/models/3/weights.safetensors"), "w3");
    write_file_atomic(folder_.path("first/weights/4.safetensors"), "w4");
    ReuseOptions options = reuse();
    options.weights = true;
    ReuseCache cache(options);
    EXPECT_EQ(cache.add_run(folder_.path("first")).trainings, 2u);
    const auto engine = make_engine(space_, settings());
    for (int id = 1; id <= 5; ++id) {
        const Candidate candidate = *engine->ask();
        EXPECT_EQ(cache.find(Part::training, candidate).has_value(), id == 3 || id == 4) << id;
        if (id == 3 || id == 4) {
            EXPECT_EQ(read_file(cache.weights_of(candidate)), fmt::format("w{}", id));
        }
    }
}

TEST_F(ReuseCacheTest, EachRepeatIsATrainingOfItsOwn) {
    confirm_ = 2;
    const Counts first = run("first", nullptr);
    const int trained = first.trained;
    EXPECT_EQ(first.measured, 18) << "repeats are not measured again";
    EXPECT_GT(trained, 18 + 2);
    ReuseCache cache(reuse());
    EXPECT_EQ(cache.add_run(folder_.path("first")).trainings, std::size_t(trained));
    const Counts counts = run("second", &cache);
    EXPECT_EQ(counts.trained, 0);
    EXPECT_EQ(counts.measured, 0);
    EXPECT_EQ(read_file(folder_.path("second/pareto.csv")),
              read_file(folder_.path("first/pareto.csv")));
    confirm_ = 0;
    ReuseCache without(reuse());
    EXPECT_EQ(without.add_run(folder_.path("first")).text("first"),
              fmt::format("first: 18 trainings and 18 latencies can be reused; not {} trainings "
                          "that confirm designs (--confirm)",
                          trained - 18));
}

TEST_F(ReuseCacheTest, WeightsOfAConfirmedDesignAreItsFirstRepeats) {
    confirm_ = 2;
    (void)run("first", nullptr);
    ReuseOptions options = reuse();
    options.weights = true;
    // The designs of the front, as the program leaves them.
    const std::string table = read_file(folder_.path("first/pareto.csv"));
    const std::size_t line = table.find('\n') + 1;
    const CandidateId id = std::stoull(table.substr(line));
    make_directories(folder_.path(fmt::format("first/models/{}", id)));
    write_file_atomic(folder_.path(fmt::format("first/models/{}/weights.safetensors", id)), "w");
    ReuseCache cache(options);
    EXPECT_EQ(cache.add_run(folder_.path("first")).trainings, 1u);
    int found = 0;
    const auto engine = make_engine(space_, settings());
    while (!engine->finished()) {
        std::vector<Candidate> batch;
        while (auto candidate = engine->ask()) batch.push_back(*candidate);
        for (const Candidate& candidate : batch) {
            if (cache.find(Part::training, candidate)) {
                ++found;
                EXPECT_EQ(candidate.id, repeat_id(id, 1));
                EXPECT_EQ(read_file(cache.weights_of(candidate)), "w");
            }
            CompletedCandidate completed;
            completed.candidate = candidate;
            completed.settled = completed.metrics =
                candidate.known.empty() ? measure(candidate).metrics : candidate.known;
            completed.metrics["val_rmse"] = train(candidate).metrics.at("val_rmse");
            engine->tell(completed);
        }
    }
    EXPECT_EQ(found, 1);
}

TEST_F(ReuseCacheTest, AnotherBudgetOrANeededStateIsNoHit) {
    (void)run("first", nullptr);
    const auto engine = make_engine(space_, settings());
    ReuseCache cache(reuse());
    (void)cache.add_run(folder_.path("first"));
    Candidate candidate = *engine->ask();
    EXPECT_TRUE(cache.find(Part::training, candidate));
    candidate.keep_state = true;
    EXPECT_FALSE(cache.find(Part::training, candidate));
    candidate.keep_state = false;
    candidate.epochs = 3;
    EXPECT_FALSE(cache.find(Part::training, candidate));
    EXPECT_TRUE(cache.find(Part::measuring, candidate));
}

TEST_F(ReuseCacheTest, AFolderWithoutARunIsRefused) {
    ReuseCache cache(reuse());
    EXPECT_THROW((void)cache.add_run(folder_.root()), ConfigError);
}

}  // namespace
}  // namespace edgeloop::reuse_cache_test
