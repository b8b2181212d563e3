#pragma once

#include "support/mpi_world.hpp"
#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace edgeloop::test {

/// A test of all ranks with one dataset, made by rank 0.
class SharedDatasetTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        if (world().rank() == 0) {
            folder_ = std::make_unique<TemporaryFolder>();
            shards_ = make_small_dataset(folder_->root());
        }
        world().broadcast(shards_, 0);
    }
    static void TearDownTestSuite() {
        wait_for_all();
        folder_.reset();
    }
    [[nodiscard]] static const std::string& shards() { return shards_; }

  private:
    static inline std::unique_ptr<TemporaryFolder> folder_;
    static inline std::string shards_;
};

}  // namespace edgeloop::test
