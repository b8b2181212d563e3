#include "training/phases.hpp"

#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <filesystem>
#include <limits>
#include <new>
#include <stdexcept>
#include <system_error>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop::failure_test {
namespace {

TEST(Failure, NothingThrownIsNoFailure) {
    EXPECT_FALSE(attempt([] {}));
}

TEST(Failure, FilesAndNetworkAreOursEverythingElseIsTheCandidates) {
    EXPECT_EQ(attempt([] { throw IoError("cannot read"); })->status, Status::lost);
    EXPECT_EQ(attempt([] { throw CommError("rank gone"); })->status, Status::lost);
    EXPECT_EQ(attempt([] { throw ConfigError("heads"); })->status, Status::failed);
    EXPECT_EQ(attempt([] { throw std::runtime_error("odd"); })->status, Status::failed);
}

TEST(Failure, WhatTheSystemOrTheAcceleratorSaysIsOurs) {
    EXPECT_EQ(attempt([] { throw std::system_error(ENOSPC, std::generic_category()); })->status,
              Status::lost);
    EXPECT_EQ(
        attempt([] { throw std::filesystem::filesystem_error("open", std::error_code()); })->status,
        Status::lost);
    for (const char* text : {"CUDA error: an illegal memory access was encountered",
                             "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
                             "write: No space left on device", "read: Stale file handle"}) {
        EXPECT_EQ(attempt([&] { throw std::runtime_error(text); })->status, Status::lost) << text;
        EXPECT_EQ(attempt([&] { TORCH_CHECK(false, text); })->status, Status::lost) << text;
    }
    const auto memory = attempt([] { TORCH_CHECK(false, "CUDA out of memory. Tried to"); });
    EXPECT_EQ(memory->status, Status::failed);
    EXPECT_EQ(memory->reason.rfind("out of memory", 0), 0u) << memory->reason;
    EXPECT_EQ(attempt([] { throw 1; })->status, Status::failed);
}

TEST(Failure, AnImpossibleAllocationIsOutOfMemoryInOneLine) {
    const auto failure = attempt([] { (void)torch::empty({std::int64_t(1) << 50}); });
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->status, Status::failed);
    EXPECT_EQ(failure->reason.rfind("out of memory", 0), 0u) << failure->reason;
    EXPECT_EQ(failure->reason.find('\n'), std::string::npos);
    EXPECT_EQ(attempt([] { throw std::bad_alloc(); })->reason.rfind("out of memory", 0), 0u);
}

TEST(Failure, TensorErrorsComeWithoutBacktrace) {
    const auto failure = attempt([] { (void)torch::zeros({2, 3}).matmul(torch::zeros({2, 3})); });
    ASSERT_TRUE(failure);
    EXPECT_NE(failure->reason.find("shapes"), std::string::npos) << failure->reason;
    EXPECT_EQ(failure->reason.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace edgeloop::failure_test
