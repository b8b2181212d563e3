#include "edgeloop/store/reuse_cache.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/search/coordinator.hpp"
#include "edgeloop/search/serial.hpp"

#include <gtest/gtest.h>

namespace edgeloop {
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
    outcome.metrics["latency_ms"] = 1 + static_cast<double>(candidate.id % 10);
    return outcome;
}

class ReuseCacheTest : public testing::Test {
  protected:
    struct Counts {
        int trained = 0, measured = 0;
    };

    EngineSettings settings() const {
        EngineSettings settings;
        settings.population = 6;
        settings.evaluations = 18;
        settings.epochs = 2;
        settings.goals.objectives = {"val_rmse", "latency_ms"};
        return settings;
    }

    RunIdentity identity(const Engine& engine, const std::string& data = "data 1") const {
        RunIdentity identity = identity_of(engine);
        identity.training = data;
        identity.measuring = "modelled";
        return identity;
    }

    Counts run(const std::string& name, const ReuseCache* cache) {
        const auto engine = make_engine(space_, settings());
        RunDirectoryOptions options;
        options.path = folder_.path(name);
        options.identity = identity(*engine);
        options.space = &space_;
        options.objectives = {"val_rmse", "latency_ms"};
        RunDirectory store(options);
        Counts counts;
        SerialEvaluator evaluator([&](const Candidate& candidate) {
            ++counts.trained;
            return train(candidate);
        });
        ImmediateProbe probe(
            [&](const Candidate& candidate) {
                ++counts.measured;
                return measure(candidate);
            },
            "test");
        SearchOptions search;
        if (cache)
            search.lookup = [&](Half half, const Candidate& each) {
                return cache->find(half, each);
            };
        (void)run_search(*engine, evaluator, &probe, store, search);
        return counts;
    }

    test::TemporaryFolder folder_;
    SearchSpace space_ = SearchSpace::from_file("quickstart");
};

TEST_F(ReuseCacheTest, ASecondRunOfTheSameDesignsCostsNothing) {
    EXPECT_EQ(run("first", nullptr).trained, 18);
    const auto engine = make_engine(space_, settings());
    ReuseCache cache;
    cache.add_run(folder_.path("first"), identity(*engine));
    const Counts counts = run("second", &cache);
    EXPECT_EQ(counts.trained, 0);
    EXPECT_EQ(counts.measured, 0);
    EXPECT_EQ(read_file(folder_.path("second/pareto.csv")),
              read_file(folder_.path("first/pareto.csv")));
}

TEST_F(ReuseCacheTest, OtherDataOrNoIdentityReusesNoTraining) {
    (void)run("first", nullptr);
    const auto engine = make_engine(space_, settings());
    for (const char* data : {"data 2", ""}) {
        ReuseCache cache;
        cache.add_run(folder_.path("first"), identity(*engine, data));
        const Counts counts = run(std::string("second") + data, &cache);
        EXPECT_EQ(counts.trained, 18);
        EXPECT_EQ(counts.measured, 0);
    }
}

TEST_F(ReuseCacheTest, AnotherBudgetOrANeededStateIsNoHit) {
    (void)run("first", nullptr);
    const auto engine = make_engine(space_, settings());
    ReuseCache cache;
    cache.add_run(folder_.path("first"), identity(*engine));
    Candidate candidate = *engine->ask();
    EXPECT_TRUE(cache.find(Half::training, candidate));
    candidate.keep_state = true;
    EXPECT_FALSE(cache.find(Half::training, candidate));
    candidate.keep_state = false;
    candidate.epochs = 3;
    EXPECT_FALSE(cache.find(Half::training, candidate));
    EXPECT_TRUE(cache.find(Half::measuring, candidate));
}

TEST_F(ReuseCacheTest, AFolderWithoutARunIsRefused) {
    ReuseCache cache;
    EXPECT_THROW(cache.add_run(folder_.root(), {}), ConfigError);
}

}  // namespace
}  // namespace edgeloop
