#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

namespace edgeloop {

/// Seconds on a clock that never jumps.
[[nodiscard]] inline double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Milliseconds since 1970, for records people read.
[[nodiscard]] inline std::int64_t unix_milliseconds() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// Sleeps between polls: first briefly, then longer, so that an idle rank costs next to nothing and
/// a busy one answers at once.
class BackOff {
  public:
    void wait() {
        std::this_thread::sleep_for(next_);
        next_ = std::min(next_ * 2, std::chrono::microseconds(2000));
    }
    void reset() { *this = {}; }

  private:
    std::chrono::microseconds next_{20};
};

}  // namespace edgeloop
