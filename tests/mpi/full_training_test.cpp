// A full training on several ranks, ended in the middle and resumed.
#include "edgeloop/deploy/full_training.hpp"

#include "support/shared_dataset.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/data/dataset.hpp"
#include "edgeloop/training/rate_test.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using test::world;

class FullTrainingTest : public test::SharedDatasetTest {
  protected:
    static FullTraining training(const std::string& out) {
        FullTraining made;
        made.spec = test::small_candidate(
                        R"({"learning_rate":0.02,"batch":6,"epochs":5,"schedule":"one-cycle"})", 1)
                        .design->spec();
        made.settings = test::cpu_settings(shards());
        made.settings.dataset = std::make_shared<const Dataset>(shards());
        made.settings.batch_ranks = 1;  // the same global batch for any number of ranks
        made.settings.average_decay = 0.9;
        made.repeats = 2;
        made.out = shards() + "/../" + out;
        return made;
    }
    static TrainedModel train(const FullTraining& training) {
        return train_fully(training, world(), CancelToken());
    }
    static std::string bytes(const FullTraining& training, const std::string& file) {
        return read_file(training.out + '/' + file);
    }
    /// Which of our errors this ends with on this rank; 'n': none.
    static char end_of(const FullTraining& training) {
        try {
            (void)train(training);
        } catch (const IoError&) {
            return 'i';
        } catch (const ConfigError&) {
            return 'c';
        }
        return 'n';
    }
};

TEST_F(FullTrainingTest, EndsWithTheSameFilesWhenItWasEndedInTheMiddle) {
    const FullTraining whole = training("whole");
    (void)train(whole);
    FullTraining killed = training("killed");
    killed.into = IntoFolder::resume;
    for (const char* epoch : {"repeat 1/2 | epoch 3/5", "repeat 2/2 | epoch 2/5"}) {
        killed.say = [epoch](const std::string& line) {
            if (line.find(epoch) != std::string::npos) throw IoError("killed");
        };
        const char end = end_of(killed);
        EXPECT_EQ(end, 'i') << "on every rank";
        EXPECT_TRUE(world().is_same_on_all_ranks(std::string(1, end)));
    }
    killed.say = [](const std::string&) {};
    (void)train(killed);
    if (world().rank() == 0) {
        for (const char* file : {"curve.csv", "weights.safetensors", "training.json"})
            EXPECT_EQ(bytes(killed, file), bytes(whole, file)) << file;
        const std::string curve = bytes(whole, "curve.csv");
        EXPECT_EQ(std::count(curve.begin(), curve.end(), '\n'), 11);
        EXPECT_EQ(TrainedModel::load(whole.out).options.at("ranks"),
                  std::to_string(world().size()));
    }
    // Of another number of ranks it would not be the same.
    FullTraining other = killed;
    other.options["threads"] = "2";
    EXPECT_EQ(end_of(other), 'c');
    EXPECT_EQ(end_of(training("whole")), 'c') << "it holds a training already";
    test::wait_for_all();
}

TEST_F(FullTrainingTest, SeveralRanksFollowOne) {
    FullTraining together = training("together"), alone = training("alone");
    for (FullTraining* each : {&together, &alone}) {
        each->repeats = 1;
        each->spec.architecture["dropout"] = 0;  // each rank draws its own
        each->spec.training.batch = 12;
    }
    (void)train(together);
    if (world().rank() == 0) {
        (void)train_fully(alone, Communicator(), CancelToken());
        const double found = TrainedModel::load(together.out).best().metrics.at("val_rmse");
        const double wanted = TrainedModel::load(alone.out).best().metrics.at("val_rmse");
        EXPECT_NEAR(found, wanted, 0.02 * wanted);
    }
    test::wait_for_all();
}

TEST_F(FullTrainingTest, ARateTestHasOneResultOnAllRanks) {
    const FullTraining one = training("none");
    Candidate candidate;
    candidate.id = 1;
    candidate.design = Design::of(one.spec);
    RateTestSettings how;
    how.steps = 20;
    const RateTest test = test_rates(one.settings, candidate, world(), CancelToken(), how);
    EXPECT_EQ(test.status, Status::completed) << test.reason;
    EXPECT_TRUE(world().is_same_on_all_ranks(std::to_string(test.suggested)));
    EXPECT_GT(test.suggested, 0);
}

}  // namespace
}  // namespace edgeloop
