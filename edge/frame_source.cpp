#include "frame_source.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

namespace edgeloop {

FrameSource::FrameSource(Options options)
    : options_(std::move(options)),
      pixels_(static_cast<std::size_t>(options_.height) *
              static_cast<std::size_t>(options_.width)) {
    if (options_.path != "-") {
        file_ = open_regular_file(options_.path);
        descriptor_ = file_.get();
    }
    struct stat facts {};
    if (::fstat(descriptor_, &facts) != 0)
        throw IoError("cannot read the frames", std::strerror(errno));
    may_wait_ = !S_ISREG(facts.st_mode);
    if (S_ISFIFO(facts.st_mode)) {
        // As many as fit while a window is computed; a kernel that allows less leaves what it has.
        constexpr int pipe_bytes = 1 << 20;
        (void)::fcntl(descriptor_, F_SETPIPE_SZ, pipe_bytes);
    }
    const auto bytes = static_cast<std::uint64_t>(facts.st_size);
    if (options_.path != "-" && bytes % pixels_ != 0)
        throw ConfigError(fmt::format("'{}' has {} bytes, which are no whole frames of {}x{}",
                                      options_.path, bytes, options_.height, options_.width),
                          fmt::format("{} bytes are left over", bytes % pixels_),
                          "give the frames' --size");
}

FrameSource::Take FrameSource::take(std::uint8_t* frame) {
    if (shall_stop()) return Take::ended;
    Take how = Take::was_there;
    for (std::size_t have = 0; have < pixels_;) {
        if (may_wait_) {
            pollfd ready{descriptor_, POLLIN, 0};
            if (::poll(&ready, 1, 0) == 0) {
                how = Take::waited_for;
                if (!wait()) return Take::ended;
            }
        }
        const ssize_t count = ::read(descriptor_, frame + have, pixels_ - have);
        if (count < 0 && errno == EINTR) {
            if (shall_stop()) return Take::ended;
            continue;
        }
        if (count < 0) throw IoError("cannot read the frames", std::strerror(errno));
        if (count == 0) {
            if (have != 0) refuse_part(have);
            return Take::ended;
        }
        have += static_cast<std::size_t>(count);
    }
    ++taken_;
    return how;
}

bool FrameSource::shall_stop() {
    is_stopped_ = is_stopped_ || (options_.stop && options_.stop());
    return is_stopped_;
}

/// @return false: it shall stop.
bool FrameSource::wait() {
    constexpr double slice_s = 0.1;  // in which a signal before poll() is noticed
    const double end = steady_seconds() + options_.stall_limit_s;
    for (;;) {
        if (shall_stop()) return false;
        pollfd ready{descriptor_, POLLIN, 0};
        const int count = ::poll(&ready, 1, static_cast<int>(1000 * slice_s));
        if (count > 0) return true;
        if (count < 0 && errno != EINTR)
            throw IoError("cannot wait for frames", std::strerror(errno));
        if (options_.stall_limit_s > 0 && steady_seconds() > end)
            throw IoError(fmt::format("no frame came for {:g} s", options_.stall_limit_s),
                          fmt::format("{} came before", taken_),
                          "look at what sends them, or allow more with --stall-limit");
    }
}

void FrameSource::refuse_part(std::size_t bytes) const {
    throw ConfigError(
        fmt::format("the frames end within one, after {} bytes of {}", bytes, pixels_),
        fmt::format("{} whole frames of {}x{} came before", taken_, options_.height,
                    options_.width),
        "look whether --size is theirs, and whether what sends them was cut off");
}

}  // namespace edgeloop
