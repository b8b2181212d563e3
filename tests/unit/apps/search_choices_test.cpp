#include "apps/search_task.hpp"
#include "support/places.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::apps::search_choices_test {
namespace {

const std::vector<std::string> targets = {"speed_mm_s", "power_w"};

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string refusal(const std::function<void()>& action) {
    try {
        action();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

Metrics counted(const Candidate& candidate) {
    const ModelCounts counts = count(candidate.design->spec());
    return {{"parameters", double(counts.parameters)}, {"flops", double(counts.flops)}};
}

SearchSpace tiny() { return SearchSpace::from_file(test::test_data("tiny_space.json")); }

const std::vector<std::string> any_class{""};

TEST(SearchGoals, AreTheErrorAndTheLatencyOrTheFlops) {
    Goals goals;
    EXPECT_THAT(settle_goals(goals, "local", any_class, targets),
                ElementsAre(Pair("", ElementsAre("latency_ms"))));
    EXPECT_THAT(goals.objectives, ElementsAre("val_rmse", "latency_ms"));
    Goals unmeasured;
    EXPECT_THAT(settle_goals(unmeasured, "none", any_class, targets), ElementsAre());
    EXPECT_THAT(unmeasured.objectives, ElementsAre("val_rmse", "flops"));
}

TEST(SearchGoals, AskADeviceForWhatTheyWantOfIt) {
    Goals goals;
    goals.objectives = {"val_rmse", "energy_mj"};
    goals.constraints = {parse_constraint("latency_p99_ms<=2"), parse_constraint("flops<=1e9")};
    EXPECT_THAT(
        settle_goals(goals, "tcp://127.0.0.1:9", any_class, targets),
        ElementsAre(Pair("", ::testing::UnorderedElementsAre("energy_mj", "latency_p99_ms"))));
    EXPECT_THAT(refusal([&] { settle_goals(goals, "model", any_class, targets); }),
                HasSubstr("'energy_mj' is unknown"));
}

TEST(SearchGoals, ThatNothingDeliversAreRefused) {
    Goals goals;
    goals.objectives = {"val_rmse", "latency"};
    EXPECT_THAT(refusal([&] { settle_goals(goals, "local", any_class, targets); }),
                HasSubstr("did you mean 'latency_ms'?"));
    goals.objectives = {"val_rmse", "val_rmse"};
    EXPECT_THAT(refusal([&] { settle_goals(goals, "local", any_class, targets); }),
                HasSubstr("given twice"));
    goals.objectives = {"val_rmse"};
    goals.constraints = {parse_constraint("latency_ms<=1")};
    EXPECT_THAT(refusal([&] { settle_goals(goals, "none", any_class, targets); }),
                HasSubstr("constrained metric 'latency_ms' is unknown"));
}

TEST(SearchGoals, SayWhichClassOfDevicesMeasuresWhat) {
    const std::vector<std::string> classes{"board", "pi"};
    Goals usual;
    (void)settle_goals(usual, "local", classes, targets);
    EXPECT_THAT(usual.objectives, ElementsAre("val_rmse", "latency_ms@board", "latency_ms@pi"));
    Goals goals;
    goals.objectives = {"val_rmse", "latency_ms@board", "flops"};
    goals.constraints = {parse_constraint("energy_mj@pi<=3"), parse_constraint("parameters<=9")};
    EXPECT_THAT(settle_goals(goals, "local", classes, targets),
                ElementsAre(Pair("board", ElementsAre("latency_ms")),
                            Pair("pi", ElementsAre("energy_mj"))));
    goals.objectives = {"val_rmse", "latency_ms"};
    EXPECT_THAT(refusal([&] { (void)settle_goals(goals, "local", classes, targets); }),
                AllOf(HasSubstr("'latency_ms' does not say which class of devices measures it"),
                      HasSubstr("write latency_ms@board")));
    for (const char* wrong : {"latency@pi", "flops@pi", "val_rmse@pi", "latency_ms@other"}) {
        goals.objectives = {"val_rmse", wrong};
        EXPECT_THAT(refusal([&] { (void)settle_goals(goals, "local", classes, targets); }),
                    HasSubstr("is unknown here"));
    }
}

TEST(SearchedSpace, HasTheFullBudgetInEveryRecipe) {
    SearchConfig config;
    config.space = test::test_data("tiny_space.json");
    RandomStream random(1, "test");
    const auto epochs = [&] {
        const SearchSpace space = settled_space(config);
        return space.decode(space.sample(random)).training.epochs;
    };
    EXPECT_EQ(epochs(), 1);
    config.epochs = 5;
    EXPECT_EQ(epochs(), 5);
    config.engine.ladder.epochs = {1, 3, 9};
    EXPECT_EQ(epochs(), 9);
}

TEST(SearchedSpace, SaysInEverySpecWhatTheDataMakeOfGreyValues) {
    SearchConfig config;
    config.space = test::test_data("tiny_space.json");
    const SearchSpace plain = settled_space(config);
    const SearchSpace space = settled_space(config, Normalisation{0.04, 0.11});
    RandomStream random(1, "test");
    const Genome genome = space.sample(random);
    EXPECT_EQ(space.decode(genome).clip.mean, 0.04);
    EXPECT_EQ(space.decode(genome).clip.deviation, 0.11);
    EXPECT_EQ(plain.decode(genome).clip.mean, ClipShape().mean);
    EXPECT_EQ(space.identity(), plain.identity()) << "a run goes on with other data, if allowed to";
    EXPECT_NE(space.identity(genome), plain.identity(genome));
}

TEST(SearchedSpace, ThatSearchesTheBudgetItselfTakesNoOther) {
    const test::TemporaryFolder folder;
    Json json = read_json_file(test::test_data("tiny_space.json"));
    json["variables"].push_back(
        {{"name", "training.epochs"}, {"kind", "ordinal"}, {"choices", {1, 2}}});
    write_file_atomic(folder.path("space.json"), json.dump());
    SearchConfig config;
    config.space = folder.path("space.json");
    EXPECT_EQ(refusal([&] { (void)settled_space(config); }), "accepted");
    config.epochs = 5;
    EXPECT_THAT(refusal([&] { (void)settled_space(config); }), HasSubstr("given twice"));
}

TEST(SearchedSpace, WithoutAnAllowedDesignIsRefused) {
    EXPECT_EQ(refusal([] { require_designs(tiny(), {}, counted); }), "accepted");
    const test::TemporaryFolder folder;
    Json json = read_json_file(test::test_data("tiny_space.json"));
    json["constraints"] = {"1 > 2"};
    json["variables"].erase(1);  // the one real number: now there are few designs to look at
    write_file_atomic(folder.path("never.json"), json.dump());
    EngineSettings engine;
    engine.goals.objectives = {"val_rmse"};
    EXPECT_THAT(refusal([&] {
                    require_designs(SearchSpace::from_file(folder.path("never.json")), engine,
                                    counted);
                }),
                HasSubstr("no design of the space may be trained (for instance: "));
}

TEST(SearchedSpace, ABudgetThatIsNotGoodForOneDesignIsRefused) {
    EngineSettings engine;
    engine.goals.objectives = {"val_rmse"};
    engine.evaluations = no_limit;
    const SearchSpace space =
        SearchSpace::from_file(test::test_data("tiny_space.json"), {{"training", {{"epochs", 5}}}});
    engine.budget = parse_budget("4epochs");
    EXPECT_THAT(refusal([&] { require_designs(space, engine, counted); }),
                HasSubstr("--budget 4epochs is less than one design trains for"));
    engine.budget = parse_budget("5epochs");
    EXPECT_EQ(refusal([&] { require_designs(space, engine, counted); }), "accepted");
}

TEST(SearchedSpace, NamesItsWindows) {
    const std::set<WindowShape> shapes = window_shapes(SearchSpace::from_file("quickstart"));
    EXPECT_EQ(shapes, (std::set<WindowShape>{{8, 1}, {12, 1}, {16, 1}}));
}

TEST(SearchedSpace, HasAMedianDesign) {
    const SearchSpace space = tiny();
    const double median = median_flops(space);
    int smaller = 0;
    RandomStream random(7, "test");
    for (int i = 0; i < 100; ++i)
        smaller += double(count(space.decode(space.sample(random))).flops) < median ? 1 : 0;
    EXPECT_GT(smaller, 20);
    EXPECT_LT(smaller, 80);
}

class GivenDesigns : public testing::Test {
  protected:
    GivenDesigns() {
        RandomStream random(1, "test");
        for (int i = 0; i < 3; ++i) {
            paths_.push_back(folder_.path(std::to_string(i) + ".json"));
            write_file_atomic(paths_.back(), space_.decode(space_.sample(random)).canonical());
        }
        engine_.population = 3;
    }

    std::vector<std::string> add() { return add_given_designs(paths_, space_, counted, engine_); }

    test::TemporaryFolder folder_;
    SearchSpace space_ = tiny();
    EngineSettings engine_;
    std::vector<std::string> paths_;
};

TEST_F(GivenDesigns, ComeFirstAndEachOnce) {
    paths_.push_back(paths_[0]);
    EXPECT_THAT(add(), ElementsAre(HasSubstr("given twice and tried once")));
    EXPECT_EQ(engine_.first.size(), 3u);
}

TEST_F(GivenDesigns, MayBreakALimitOrBeMoreThanAPopulation) {
    engine_.population = 2;
    engine_.goals.constraints = {parse_constraint("parameters<=1")};
    EXPECT_THAT(add(), ElementsAre(HasSubstr("counts as infeasible"), HasSubstr("infeasible"),
                                   HasSubstr("infeasible"), HasSubstr("has all 3 designs")));
    EXPECT_EQ(engine_.first.size(), 3u);
}

TEST_F(GivenDesigns, AreNoMoreThanTheEvaluations) {
    engine_.evaluations = 2;
    EXPECT_THAT(refusal([&] { add(); }), HasSubstr("--evaluations is 2"));
}

TEST_F(GivenDesigns, AreNoMoreThanTheBudgetIsGoodFor) {
    engine_.budget = parse_budget("2epochs");
    EXPECT_THAT(refusal([&] { add(); }), HasSubstr("--budget is 2epochs"));
    engine_.ladder.epochs = {1, 3};
    engine_.budget = parse_budget("5epochs");  // three go to 1, one of them on to 3
    EXPECT_EQ(refusal([&] { add(); }), "accepted");
}

}  // namespace
}  // namespace edgeloop::apps::search_choices_test
