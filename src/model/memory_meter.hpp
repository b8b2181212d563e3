#pragma once

#include <cstdint>
#include <memory>

namespace edgeloop {

/// Counts the bytes of CPU tensors allocated and freed by this thread while it lives.
///
/// Tensors that existed before do not count, also when they are freed.
class MemoryMeter {
  public:
    MemoryMeter();
    ~MemoryMeter();
    MemoryMeter(const MemoryMeter&) = delete;
    MemoryMeter& operator=(const MemoryMeter&) = delete;

    /// Bytes alive now.
    [[nodiscard]] std::int64_t live_bytes() const;
    /// Most bytes alive at once so far.
    [[nodiscard]] std::int64_t peak_bytes() const;
    /// Starts a new peak from what is alive now.
    void reset_peak();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop
