// A short training of every family on the path that a GPU takes, here on the CPU: the library's
// kernels, mixed precision, gradients staged on the host.
#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"
#include "unit/model/specs.hpp"

#include "edgeloop/core/json.hpp"
#include "edgeloop/training/trainer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::families_test {
namespace {

struct Family {
    const char* name;
    const char* architecture;
};

// Without dropout, which draws other numbers where tensors have other types.
const Family trained[] = {
    {"cnn3d",
     R"({"stages":[{"channels":4,"kernel":[3,3,3],"pool":[2,4,4]}],"hidden":[8],"reduce":"flatten"})"},
    {"mbconv3d",
     R"({"stem":4,"head":8,"stages":[{"channels":6,"expansion":2,"kernel":[3,3,3],"stride":[1,2,2],)"
     R"("repeats":2,"squeeze":0.25}]})"},
    {"swin3d",
     R"({"patch":[2,4,4],"embed_dim":12,"depths":[2,2],"heads":[3,6],"window":[2,3,3],"mlp_ratio":2,)"
     R"("head_hidden":[8,4],"drop_path":0,"dropout":0})"}};

TEST(TrainedFamilies, AreAll) {
    std::vector<std::string> names;
    for (const Family& family : trained) names.emplace_back(family.name);
    EXPECT_THAT(names, ::testing::UnorderedElementsAreArray(test::family_names()));
}

class FamiliesTest : public testing::TestWithParam<Family> {
  protected:
    static void SetUpTestSuite() {
        folder_ = new test::TemporaryFolder;
        shards_ = new std::string(test::make_small_dataset(folder_->root()));
    }
    static void TearDownTestSuite() {
        delete shards_;
        delete folder_;
    }
    static TrainingSettings settings() { return test::cpu_settings(*shards_); }
    static Metrics train(const TrainingSettings& settings) {
        Candidate candidate;
        candidate.id = 3;
        candidate.seed = 5;
        candidate.design = Design::parse(
            std::string(R"({"family":")") + GetParam().name + R"(","architecture":)" +
                GetParam().architecture +
                R"(,"clip":{"frames":4,"stride":1,"side":16},"training":)" +
                R"({"learning_rate":0.003,"batch":8,"epochs":6,"schedule":"constant"}})",
            "test");
        const Outcome outcome = Trainer(settings).train(candidate, Communicator(), CancelToken());
        EXPECT_EQ(outcome.status, Status::completed) << outcome.reason;
        return outcome.metrics;
    }
    static void expect_near(const Metrics& found, const Metrics& expected, double tolerance) {
        for (const char* name : {"val_rmse", "train_loss"}) {
            ASSERT_TRUE(found.count(name) > 0 && expected.count(name) > 0) << name;
            EXPECT_NEAR(found.at(name), expected.at(name), tolerance * expected.at(name)) << name;
        }
    }

  private:
    static test::TemporaryFolder* folder_;
    static std::string* shards_;
};

test::TemporaryFolder* FamiliesTest::folder_ = nullptr;
std::string* FamiliesTest::shards_ = nullptr;

TEST_P(FamiliesTest, TrainAlikeWithAllKernels) {
    TrainingSettings plain = settings();
    plain.kernels = Kernels::plain;
    const Metrics expected = train(plain);
    for (const Kernels kernels : {Kernels::fused, Kernels::library}) {
        SCOPED_TRACE(to_string(kernels));
        TrainingSettings other = settings();
        other.kernels = kernels;
        other.exchange = GradientExchange::staged;
        expect_near(train(other), expected, 1e-2);
    }
}

TEST_P(FamiliesTest, TrainInMixedPrecisionToAboutTheSame) {
    const Metrics expected = train(settings());
    for (const Kernels kernels : all_kernels) {
        SCOPED_TRACE(to_string(kernels));
        TrainingSettings mixed = settings();
        mixed.kernels = kernels;
        mixed.mixed_precision = true;
        const Metrics found = train(mixed);
        expect_near(found, expected, 0.15);
        EXPECT_NE(found.at("train_loss"), expected.at("train_loss"));
    }
}

INSTANTIATE_TEST_SUITE_P(Families, FamiliesTest, testing::ValuesIn(trained),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
}  // namespace edgeloop::families_test
