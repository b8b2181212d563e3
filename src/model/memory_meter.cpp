#include "model/memory_meter.hpp"

#include <algorithm>
#include <mutex>

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

namespace edgeloop {
namespace {

/// Receives LibTorch's reports of allocations (positive) and releases (negative).
class Receiver : public c10::MemoryReportingInfoBase {
  public:
    // LibTorch's versions differ in the type of the totals, which we do not need: one of the two
    // overrides the base's function.
    void reportMemoryUsage(void*, std::int64_t bytes, std::int64_t, std::int64_t, c10::Device) {
        add(bytes);
    }
    void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t, c10::Device) {
        add(bytes);
    }
    [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }

    std::mutex mutex;
    std::int64_t live = 0;
    std::int64_t peak = 0;

  private:
    void add(std::int64_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex);
        live += bytes;
        peak = std::max(peak, live);
    }
};

}  // namespace

struct MemoryMeter::Impl {
    std::shared_ptr<Receiver> receiver = std::make_shared<Receiver>();
    c10::DebugInfoGuard guard{c10::DebugInfoKind::PROFILER_STATE, receiver};
};

MemoryMeter::MemoryMeter() : impl_(std::make_unique<Impl>()) {}
MemoryMeter::~MemoryMeter() = default;

std::int64_t MemoryMeter::live_bytes() const {
    const std::lock_guard<std::mutex> lock(impl_->receiver->mutex);
    return impl_->receiver->live;
}

std::int64_t MemoryMeter::peak_bytes() const {
    const std::lock_guard<std::mutex> lock(impl_->receiver->mutex);
    return impl_->receiver->peak;
}

void MemoryMeter::reset_peak() {
    const std::lock_guard<std::mutex> lock(impl_->receiver->mutex);
    impl_->receiver->peak = impl_->receiver->live;
}

}  // namespace edgeloop
