// Quantisation-aware training: float32 first, then rounded; validated rounded throughout.
#include "training/quantised_training.hpp"

#include "model/network.hpp"
#include "model/rounding.hpp"
#include "model/weights_file.hpp"
#include "support/temporary_folder.hpp"
#include "training/optimizer_state.hpp"
#include "unit/training/one_training.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/training/trainer.hpp"

#include <filesystem>
#include <memory>

#include <gtest/gtest.h>

namespace edgeloop::quantised_training_test {
namespace {

/// Two stages, a residual-free way from grey values to the mean.
std::string spec_of(int bits, const std::string& quantiser, double float_share, int epochs) {
    return R"({"family":"cnn3d","architecture":{"stages":[{"channels":6,"pool":[1,2,2]},)"
           R"({"channels":8,"pool":[2,2,2]}],"hidden":[8],"norm":"affine","reduce":"flatten"},)"
           R"("clip":{"frames":4,"stride":1,"side":16},"training":{"learning_rate":0.005,)"
           R"("batch":4,"weight_decay":0.01,"schedule":"constant","epochs":)" +
           std::to_string(epochs) + R"(},"quantisation":{"quantiser":")" + quantiser +
           R"(","float_share":)" + std::to_string(float_share) + R"(,"stages":[{},{"weights":)" +
           std::to_string(bits) + R"(,"activations":)" + std::to_string(bits) +
           R"(}],"dense":{"weights":)" + std::to_string(bits) + R"(,"activations":)" +
           std::to_string(bits) + "}}}";
}

Candidate candidate(int bits, const std::string& quantiser, double float_share, int epochs) {
    return test::candidate_of(spec_of(bits, quantiser, float_share, epochs));
}

class QuantisedTraining : public test::OneTraining {};

TEST_F(QuantisedTraining, ValidatesTheQuantisedNetworkAlsoBeforeItTrainsIt) {
    Candidate coarse = candidate(1, "vecq", 0.5, 4), fine = candidate(8, "vecq", 0.5, 4);
    coarse.epochs = fine.epochs = 2;
    const Metrics with_1_bit = train(settings(), coarse).metrics;
    const Metrics with_8_bits = train(settings(), fine).metrics;
    EXPECT_EQ(with_1_bit.at("train_loss"), with_8_bits.at("train_loss")) << "both in float32";
    EXPECT_GT(with_1_bit.at("val_rmse"), 1.01 * with_8_bits.at("val_rmse"));
    coarse.epochs = fine.epochs = 3;
    EXPECT_NE(train(settings(), coarse).metrics.at("train_loss"),
              train(settings(), fine).metrics.at("train_loss"));
}

TEST_F(QuantisedTraining, EightBitsAreAsGoodAsFloatAndTwoAreNotMuchWorse) {
    Candidate plain = candidate(8, "lsq", 0.5, 12);
    ArchitectureSpec spec = plain.design->spec();
    spec.quantisation = {};
    plain.design = Design::of(spec);
    const double expected = train(settings(), plain).metrics.at("val_rmse");
    for (const char* quantiser : {"lsq", "vecq"}) {
        const double with_8 =
            train(settings(), candidate(8, quantiser, 0.5, 12)).metrics.at("val_rmse");
        EXPECT_LT(with_8, 1.15 * expected) << quantiser;
        const double with_2 =
            train(settings(), candidate(2, quantiser, 0.5, 12)).metrics.at("val_rmse");
        EXPECT_LT(with_2, 1.5 * expected) << quantiser;
    }
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

TEST_F(QuantisedTraining, GoesOnToTheSameBitsWhereverItWasBrokenOff) {
    const test::TemporaryFolder states;
    TrainingSettings kept = settings();
    kept.state_dir = states.path("training");
    for (const char* quantiser : {"lsq", "vecq"}) {
        const Candidate one = candidate(3, quantiser, 0.5, 2);
        const Metrics whole = train(settings(), one).metrics;
        const int steps = 18;  // about an epoch
        for (const int at : {2, steps - 1, steps, steps + 1, 2 * steps - 2}) {
            const Outcome stopped = train(kept, one, StopToken(at));
            ASSERT_EQ(stopped.status, Status::cancelled) << at;
            EXPECT_EQ(train(kept, one).metrics, whole) << at;
        }
    }
}

TEST_F(QuantisedTraining, ARungGoesOnFromTheOneBefore) {
    const test::TemporaryFolder states;
    TrainingSettings kept = settings();
    kept.state_dir = states.root();
    Candidate one = candidate(4, "lsq", 0.5, 4);
    const Metrics whole = train(settings(), one).metrics;
    for (const int rung : {1, 2, 3}) {  // before, at and behind the change to few bits
        one.epochs = rung;
        one.keep_state = true;
        (void)train(kept, one);
        EXPECT_TRUE(std::filesystem::exists(states.path("7.state")));
        one.epochs = 4;
        one.trained_epochs = rung;
        one.keep_state = false;
        EXPECT_EQ(train(kept, one).metrics, whole) << rung;
        one.trained_epochs = 0;
    }
}

TEST_F(QuantisedTraining, LearntStepsAreInTheWeightsFile) {
    const test::TemporaryFolder folder;
    TrainingSettings saving = settings();
    saving.weights_dir = folder.path("weights");
    const Candidate one = candidate(2, "lsq", 0, 2);
    ASSERT_EQ(train(saving, one).status, Status::completed);
    const auto weights = decode_weights(read_file(folder.path("weights/7.safetensors")), "weights");
    const auto network = trained_network(one.design->spec(), folder.path("weights/7.safetensors"));
    int steps = 0;
    for (const auto& [name, initial] : weights_of(*make_network(one.design->spec(), one.seed))) {
        if (!is_step(name)) continue;
        ++steps;
        EXPECT_GT((weights.at(name) - initial).abs().max().item<double>(), 0) << name;
        EXPECT_TRUE(torch::equal(weights_of(*network).at(name), weights.at(name)));
    }
    EXPECT_EQ(steps, 4 + 3) << "of the weights of all layers; of what all but the first one read";
}

TEST(OptimizerOfQuantised, DecaysWeightsAndNoSteps) {
    const auto spec = ArchitectureSpec::from_json(Json::parse(spec_of(4, "lsq", 0.5, 4)), "test");
    for (const char* optimizer : {"adam", "adamw", "sgd"}) {
        TrainingRecipe recipe;
        recipe.optimizer = optimizer;
        recipe.weight_decay = 0.5;
        recipe.learning_rate = 0.1;
        const auto network = make_network(spec, 1);
        const auto made = optimizer_of(recipe, *network);
        ASSERT_EQ(made->param_groups().size(), 2u);
        const auto before = weights_of(*network);
        std::map<std::string, torch::Tensor> copies;
        for (const auto& [name, tensor] : before) copies[name] = tensor.clone();
        for (const torch::Tensor& parameter : network->parameters())
            parameter.mutable_grad() = torch::zeros_like(parameter);
        made->step();
        for (const auto& [name, tensor] : weights_of(*network)) {
            if (copies.at(name).abs().max().item<double>() == 0) continue;
            EXPECT_EQ(torch::equal(tensor, copies.at(name)), is_step(name))
                << optimizer << ' ' << name;
        }
        // Its state has all groups.
        EXPECT_EQ(state_of(*made).steps.size(), network->parameters().size());
        ArchitectureSpec plain = spec;
        plain.quantisation = {};
        EXPECT_EQ(optimizer_of(recipe, *make_network(plain, 1))->param_groups().size(), 1u);
    }
}

}  // namespace
}  // namespace edgeloop::quantised_training_test
