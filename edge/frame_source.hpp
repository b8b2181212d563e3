#pragma once

#include "edgeloop/core/descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace edgeloop {

/// Raw frames, uint8 and row by row, one after the other without anything between: of a file, or of
/// standard input. Takes one after the other and keeps none.
class FrameSource {
  public:
    struct Options {
        std::string path;  ///< "-": standard input
        int height = 0, width = 0;
        double stall_limit_s = 10;   ///< without a byte; 0: waits for ever
        std::function<bool()> stop;  ///< asked before each frame, and while it waits
    };

    /// @throws ConfigError  there is no such file, or its size is that of no whole number of
    /// frames; IoError.
    explicit FrameSource(Options options);

    enum class Take : std::uint8_t {
        was_there,   ///< the frame lay ready
        waited_for,  ///< it came while this waited
        ended,       ///< there are no more, or stop() says so
    };
    /// The next frame. Allocates nothing.
    /// @param frame  (height, width).
    /// @throws ConfigError  the frames end within one; IoError: none came for too long, or it
    /// cannot be read.
    [[nodiscard]] Take take(std::uint8_t* frame);

    [[nodiscard]] std::size_t pixels() const { return pixels_; }
    [[nodiscard]] std::int64_t taken() const { return taken_; }
    /// Whether stop() ended it.
    [[nodiscard]] bool is_stopped() const { return is_stopped_; }

  private:
    [[nodiscard]] bool shall_stop();
    [[nodiscard]] bool wait();
    [[noreturn]] void refuse_part(std::size_t bytes) const;

    Options options_;
    std::size_t pixels_;
    Descriptor file_;
    int descriptor_ = 0;
    bool may_wait_ = false;  ///< no plain file
    std::int64_t taken_ = 0;
    bool is_stopped_ = false;
};

}  // namespace edgeloop
