// Ranks that adapt: what is chosen, that cores shrink with everything that belongs to them, that it
// is the same whatever interrupts it.
#include "training/rank_adaptation.hpp"

#include "model/network.hpp"
#include "model/weights_file.hpp"
#include "support/temporary_folder.hpp"
#include "training/rank_choice.hpp"
#include "unit/training/one_training.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/training/trainer.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>

#include <gtest/gtest.h>

namespace edgeloop::rank_adaptation_test {
namespace {

std::string spec_of(const std::string& adaptation, int epochs, const std::string& more = "") {
    return R"({"family":"cnn3d","architecture":{"stages":[{"channels":6,"pool":[1,2,2]},)"
           R"({"channels":8,"pool":[2,2,2]}],"hidden":[8],"reduce":"flatten"},)"
           R"("clip":{"frames":4,"stride":1,"side":16},"training":{"learning_rate":0.005,)"
           R"("batch":4,"weight_decay":0.01,"schedule":"constant","epochs":)" +
           std::to_string(epochs) + R"(},"low_rank":{"adaptation":")" + adaptation +
           R"(","stages":[{},{"format":"tt","rank_max":6)" + more +
           R"(}],"dense":{"format":"tt","rank_max":5}}})";
}

Candidate candidate(const std::string& adaptation, int epochs, const std::string& more = "") {
    return test::candidate_of(spec_of(adaptation, epochs, more));
}

class RankAdaptationTest : public test::OneTraining {};

TEST_F(RankAdaptationTest, CoresShrinkAndAreCountedAgain) {
    for (const char* adaptation : {"diagonal", "log-uniform", "half-cauchy"}) {
        const test::TemporaryFolder folder;
        TrainingSettings saving = settings();
        saving.weights_dir = folder.root();
        const Candidate one = candidate(adaptation, 6, R"(,"rank_target":2)");
        const Metrics metrics = train(saving, one).metrics;
        const auto weights = decode_weights(read_file(folder.path("7.safetensors")), "weights");
        const ArchitectureSpec settled = with_ranks_in(weights, one.design->spec());
        EXPECT_EQ(count(settled).parameters, metrics.at("final_parameters")) << adaptation;
        EXPECT_LT(metrics.at("final_parameters"), double(one.design->counts().parameters));
        std::size_t numbers = 0;
        for (const auto& [name, tensor] : weights) numbers += std::size_t(tensor.numel());
        EXPECT_EQ(double(numbers), metrics.at("final_parameters")) << "no scales are left";
        // The target is that of ranks of 2.
        const auto factored =
            factored_layers(settled.low_rank, tensor_layers_of(settled)).at("stages.1.conv");
        EXPECT_LE(size_with(factored, factored.ranks), size_with(factored, {2, 2, 2, 2}));
        EXPECT_LT(std::abs(metrics.at("shrink_change")), 1) << adaptation;
    }
}

TEST_F(RankAdaptationTest, WhatIsLeftOutChangesNextToNothing) {
    const Metrics metrics = train(settings(), candidate("diagonal", 4)).metrics;
    EXPECT_LT(std::abs(metrics.at("shrink_change")), 0.01);
    EXPECT_LT(metrics.at("final_parameters"),
              double(candidate("diagonal", 4).design->counts().parameters));
}

TEST_F(RankAdaptationTest, AStrongerPullLeavesLess) {
    Candidate weak = candidate("diagonal", 6), strong = weak;
    ArchitectureSpec spec = weak.design->spec();
    spec.low_rank.strength = 0;
    weak.design = Design::of(spec);
    spec.low_rank.strength = 20;
    strong.design = Design::of(spec);
    EXPECT_LT(train(settings(), strong).metrics.at("final_parameters"),
              train(settings(), weak).metrics.at("final_parameters"));
}

/// Asks for an end at the n-th question, to go on later.
class StopToken : public CancelToken {
  public:
    explicit StopToken(int answer_at) : answer_at_(answer_at) {}
    [[nodiscard]] bool requested() const override { return ++asked_ >= answer_at_; }
    [[nodiscard]] bool will_resume() const override { return true; }

  private:
    int answer_at_;
    mutable int asked_ = 0;
};

TEST_F(RankAdaptationTest, GoesOnToTheSameBitsWhereverItWasBrokenOff) {
    const test::TemporaryFolder states;
    TrainingSettings kept = settings();
    kept.state_dir = states.path("training");
    for (const char* adaptation : {"diagonal", "log-uniform"}) {
        const Candidate one = candidate(adaptation, 2, R"(,"rank_target":3)");
        const Metrics whole = train(settings(), one).metrics;
        const int steps = 18;  // about an epoch; then comes the validation before ranks are final
        for (const int at : {2, steps - 1, steps, steps + 1, steps + 6, 2 * steps - 2}) {
            const Outcome stopped = train(kept, one, StopToken(at));
            ASSERT_EQ(stopped.status, Status::cancelled) << at;
            EXPECT_EQ(train(kept, one).metrics, whole) << adaptation << " at " << at;
        }
    }
}

TEST_F(RankAdaptationTest, AStopWhileRanksBecomeFinalKeepsTheBestEpochOfTheSmallerNetwork) {
    const test::TemporaryFolder states;
    TrainingSettings kept = settings();
    kept.keep_best_epoch = true;
    kept.state_dir = states.path("training");
    const Candidate one = candidate("diagonal", 2, R"(,"rank_target":3)");
    TrainingSettings unkept = settings();
    unkept.keep_best_epoch = true;
    const Metrics whole = train(unkept, one).metrics;
    for (int at = 18; at < 32; ++at) {  // both validations, before and after
        const Outcome stopped = train(kept, one, StopToken(at));
        ASSERT_EQ(stopped.status, Status::cancelled) << at;
        EXPECT_EQ(train(kept, one).metrics, whole) << "at " << at;
    }
}

TEST_F(RankAdaptationTest, ARungGoesOnFromTheOneBefore) {
    const test::TemporaryFolder states;
    TrainingSettings kept = settings();
    kept.state_dir = states.root();
    Candidate one = candidate("diagonal", 4, R"(,"rank_target":3)");
    const Metrics whole = train(settings(), one).metrics;
    for (const int rung : {1, 2, 3}) {  // before, at and behind the end of adaptation
        one.epochs = rung;
        one.keep_state = true;
        const Metrics early = train(kept, one).metrics;
        EXPECT_EQ(early.count("final_parameters"), rung >= 2 ? 1u : 0u);
        EXPECT_TRUE(std::filesystem::exists(states.path("7.state")));
        one.epochs = 4;
        one.trained_epochs = rung;
        one.keep_state = false;
        EXPECT_EQ(train(kept, one).metrics, whole) << rung;
        one.trained_epochs = 0;
    }
}

TEST_F(RankAdaptationTest, WeightsFromBeforeRanksAreFinalHaveTheScalesInThem) {
    const test::TemporaryFolder folder;
    TrainingSettings saving = settings();
    saving.weights_dir = folder.root();
    Candidate one = candidate("diagonal", 8);
    one.epochs = 2;  // of the 4 in which they adapt
    const Metrics metrics = train(saving, one).metrics;
    EXPECT_EQ(metrics.count("final_parameters"), 0u);
    EXPECT_NO_THROW((void)trained_network(one.design->spec(), folder.path("7.safetensors")));
}

TEST_F(RankAdaptationTest, TheBestEpochIsOneWithFinalRanks) {
    TrainingSettings best = settings();
    best.keep_best_epoch = true;
    best.average_decay = 0.9;
    const Metrics metrics = train(best, candidate("diagonal", 6)).metrics;
    EXPECT_GE(metrics.at("best_epoch"), 3);
    EXPECT_EQ(metrics.count("final_parameters"), 1u);
}

TEST_F(RankAdaptationTest, TheBestEpochOfOpenRanksIsGivenAsItWas) {
    const test::TemporaryFolder folder;
    TrainingSettings best = settings();
    best.keep_best_epoch = true;
    best.weights_dir = folder.root();
    Candidate one;
    double epoch = 7;
    for (const char* rate : {"0.02", "0.05", "0.2", "1"}) {  // until val_rmse goes up and down
        std::string spec = spec_of("log-uniform", 16);
        one = test::candidate_of(spec.replace(spec.find("0.005"), 5, rate));
        one.epochs = 7;  // of the 8 in which they adapt
        epoch = train(best, one).metrics.at("best_epoch");
        if (epoch < one.epochs) break;
    }
    ASSERT_LT(epoch, 7);
    const std::string given = read_file(folder.path("7.safetensors"));
    one.epochs = static_cast<int>(epoch);
    (void)train(best, one);
    EXPECT_TRUE(given == read_file(folder.path("7.safetensors")));
}

TEST(RankChoice, KeepsTheBestOfEachBondAndMeetsTargets) {
    const ArchitectureSpec spec = ArchitectureSpec::from_json(
        Json::parse(spec_of("diagonal", 2, R"(,"rank_target":2)")), "test");
    const auto network = make_network(spec, 1);
    const std::vector<FactoredModule*> layers = open_layers(*network, spec.low_rank);
    ASSERT_EQ(layers.size(), 2u);
    const RankAdaptation adaptation(spec.low_rank, layers);
    {
        const torch::NoGradGuard no_grad;
        torch::Tensor scale = layers[1]->scales()[1];
        scale.fill_(0);
        scale[2] = 0.5;
    }
    const std::vector<CanonicalForm> forms = adaptation.choose();
    EXPECT_EQ(ranks_in(forms[1])[1], 1);
    EXPECT_EQ(forms[1][1].weights.back().abs().argmax().item<std::int64_t>(), 2);
    const FactoredLayer& first = layers[0]->layer();
    const Ranks ranks = ranks_in(forms[0]);
    EXPECT_LE(size_with(first, ranks), size_with(first, max_ranks("tt", first.layer, 2)));
    EXPECT_GE(*std::min_element(ranks.begin(), ranks.end()), 1);
}

}  // namespace
}  // namespace edgeloop::rank_adaptation_test
