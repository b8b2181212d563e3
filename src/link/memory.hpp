#pragma once

#include <cstdint>

namespace edgeloop {

/// Sees when this process takes more memory than it should.
class MemoryWatch {
  public:
    /// @param limit_mib  of resident memory; 0: none.
    explicit MemoryWatch(std::uint64_t limit_mib) : limit_mib_(limit_mib) {}

    /// Looks a few times a second. True each time that the limit is passed; what the caller frees
    /// then has two seconds to get back to the system. The least that was left then counts as
    /// needed for something else: the limit is a quarter more than that, if that is more.
    bool is_over(double now);
    [[nodiscard]] std::uint64_t seen_mib() const { return seen_mib_; }

  private:
    std::uint64_t limit_mib_, seen_mib_ = 0, needed_mib_ = 0;
    double next_look_ = 0, settled_ = 0;
};

}  // namespace edgeloop
