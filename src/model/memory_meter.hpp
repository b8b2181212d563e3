#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

namespace edgeloop {

/// Counts the bytes of CPU tensors allocated and freed by this thread while it lives.
///
/// Tensors that existed before do not count, also when they are freed.
class MemoryMeter {
  public:
    /// Bytes alive now.
    [[nodiscard]] std::int64_t live_bytes() const {
        const std::lock_guard<std::mutex> lock(receiver_->mutex);
        return receiver_->live;
    }
    /// Most bytes alive at once so far.
    [[nodiscard]] std::int64_t peak_bytes() const {
        const std::lock_guard<std::mutex> lock(receiver_->mutex);
        return receiver_->peak;
    }
    /// Most bytes of one tensor.
    [[nodiscard]] std::int64_t max_bytes() const {
        const std::lock_guard<std::mutex> lock(receiver_->mutex);
        return receiver_->largest;
    }

  private:
    /// Receives LibTorch's reports of allocations (positive) and releases (negative).
    struct Receiver : c10::MemoryReportingInfoBase {
        // LibTorch's versions differ in the type of the totals, which we do not need: one of the
        // two overrides the base's function.
        void reportMemoryUsage(void*, std::int64_t bytes, std::int64_t, std::int64_t, c10::Device) {
            add(bytes);
        }
        void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t, c10::Device) {
            add(bytes);
        }
        [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }
        void add(std::int64_t bytes) {
            const std::lock_guard<std::mutex> lock(mutex);
            live += bytes;
            peak = std::max(peak, live);
            largest = std::max(largest, bytes);
        }

        std::mutex mutex;
        std::int64_t live = 0, peak = 0, largest = 0;
    };

    std::shared_ptr<Receiver> receiver_ = std::make_shared<Receiver>();
    c10::DebugInfoGuard guard_{c10::DebugInfoKind::PROFILER_STATE, receiver_};
};

}  // namespace edgeloop
