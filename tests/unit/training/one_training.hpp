#pragma once

#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/training/trainer.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace edgeloop::test {

/// @param spec  JSON.
inline Candidate candidate_of(const std::string& spec) {
    Candidate made;
    made.id = 7;
    made.seed = 5;
    made.design = Design::parse(spec, "test");
    return made;
}

/// Trainings in this process of a small dataset, which is made once.
class OneTraining : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        folder_ = std::make_unique<TemporaryFolder>();
        shards_ = make_small_dataset(folder_->root());
    }
    static void TearDownTestSuite() { folder_.reset(); }
    static TrainingSettings settings() { return cpu_settings(shards_); }
    static Outcome train(const TrainingSettings& with, const Candidate& one,
                         const CancelToken& token = CancelToken()) {
        Outcome outcome = Trainer(with).train(one, Communicator(), token);
        EXPECT_TRUE(outcome.status != Status::failed) << outcome.reason;
        return outcome;
    }

  private:
    static inline std::unique_ptr<TemporaryFolder> folder_;
    static inline std::string shards_;
};

}  // namespace edgeloop::test
