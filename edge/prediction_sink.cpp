#include "prediction_sink.hpp"

#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/little_endian.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

namespace edgeloop {
namespace {

/// Of any number, and a comma.
constexpr std::size_t cell_bytes = 32;

std::string header_of(const std::vector<inference::OutputTarget>& targets) {
    std::string header = "frame";
    for (const inference::OutputTarget& target : targets)
        header += ',' + csv_cell(fmt::format("{} [{}]", target.name, target.unit));
    return header + '\n';
}

template <class Integer>
char* put_little_endian_at(char* at, Integer value) {
    for (std::size_t i = 0; i < sizeof value; ++i)
        *at++ = static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
    return at;
}

}  // namespace

PredictionSink::PredictionSink(Options options, const std::vector<inference::OutputTarget>& targets)
    : options_(std::move(options)), targets_(targets.size()) {
    if (options_.path != "-") {
        constexpr int mode = 0666;  // less the user's umask
        file_ = Descriptor(
            ::open(options_.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
        descriptor_ = file_.get();
        if (descriptor_ < 0)
            throw IoError(fmt::format("cannot write '{}'", options_.path), std::strerror(errno));
    }
    struct stat facts {};
    may_stall_ = ::fstat(descriptor_, &facts) != 0 || !S_ISREG(facts.st_mode);
    const std::string header =
        options_.format == PredictionFormat::csv ? header_of(targets) : std::string();
    buffer_.resize(std::max(header.size(), cell_bytes * (targets_ + 1)));
    std::memcpy(buffer_.data(), header.data(), header.size());
    write(header.size());
}

void PredictionSink::put(std::int64_t frame, const float* values) {
    char* at = buffer_.data();
    if (options_.format == PredictionFormat::binary) {
        at = put_little_endian_at(at, static_cast<std::uint64_t>(frame));
        for (std::size_t i = 0; i < targets_; ++i) {
            std::uint32_t bits = 0;
            std::memcpy(&bits, values + i, sizeof bits);
            at = put_little_endian_at(at, bits);
        }
    } else {
        at = std::to_chars(at, at + cell_bytes, frame).ptr;
        for (std::size_t i = 0; i < targets_; ++i) {
            *at++ = ',';
            at = std::to_chars(at, at + cell_bytes - 1, values[i]).ptr;
        }
        *at++ = '\n';
    }
    write(static_cast<std::size_t>(at - buffer_.data()));
}

void PredictionSink::write(std::size_t bytes) {
    for (std::size_t done = 0; done < bytes;) {
        if (may_stall_) {
            pollfd ready{descriptor_, POLLOUT, 0};
            const int limit =
                options_.stall_limit_s > 0 ? static_cast<int>(1000 * options_.stall_limit_s) : -1;
            const int count = ::poll(&ready, 1, limit);
            if (count == 0)
                throw IoError(fmt::format("the predictions are not taken: their reader stalled for "
                                          "{:g} s",
                                          options_.stall_limit_s),
                              "a prediction that comes late is of no use",
                              "look at what reads them, or allow more with --stall-limit");
        }
        const ssize_t count = ::write(descriptor_, buffer_.data() + done, bytes - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EPIPE)
            throw IoError("the predictions are not taken: their reader has gone");
        if (count < 0) throw IoError("cannot write predictions", std::strerror(errno));
        done += static_cast<std::size_t>(count);
    }
}

}  // namespace edgeloop
