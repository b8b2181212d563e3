#include "job_channel.hpp"

#include "harness.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <thread>
#include <tuple>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <time.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_job_answer = 1 << 16, max_marks = 1024;
/// A clock that runs a little faster or slower is no other time; one that somebody sets is.
constexpr std::int64_t clock_step_ns = 500'000;
/// By which two clocks that are read one after the other may seem to differ.
constexpr std::int64_t between_clocks_ns = 100'000;

std::pair<Descriptor, Descriptor> make_sockets() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        throw IoError("cannot make a pair of sockets", std::strerror(errno));
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

/// Stamps are on the clock that a system sets: by how much it is ahead of the steady one.
std::int64_t clock_offset_ns() {
    std::int64_t best = 0, least = std::numeric_limits<std::int64_t>::max();
    for (int i = 0; i < 5; ++i) {  // an interruption between two clocks would be in the difference
        const std::int64_t before = steady_nanoseconds();
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        const std::int64_t after = steady_nanoseconds();
        if (after - before >= least) continue;
        least = after - before;
        best = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec - (before + after) / 2;
    }
    return best;
}

/// When the kernel got a message; 0: it does not say.
std::int64_t stamp_of(msghdr& header) {
    for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each))
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
            timespec at{};
            std::memcpy(&at, CMSG_DATA(each), sizeof at);
            return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
        }
    return 0;
}

/// Reads one mark that is there. @return false when there is none. @throws ConfigError.
bool read_mark(int descriptor, StampedMark& read) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
    iovec place{&read.mark, sizeof read.mark};
    msghdr header{};
    header.msg_iov = &place;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(descriptor, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got == 0 || (got < 0 && (errno == EAGAIN || errno == ECONNRESET))) return false;
    if (got != static_cast<ssize_t>(sizeof read.mark) || (header.msg_flags & MSG_TRUNC) != 0)
        throw ConfigError("the process of the job sent something that is no mark");
    read.at_ns = stamp_of(header);
    return true;
}

}  // namespace

JobChannel::JobChannel() {
    std::tie(control_, job_control_) = make_sockets();
    std::tie(marks_, job_marks_) = make_sockets();
    const int on = 1;
    (void)::setsockopt(marks_.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    find_capacity();
    find_stamps();
}

void JobChannel::find_capacity() {
    const Mark mark;
    while (capacity_<max_marks&& ::send(job_marks_.get(), &mark, sizeof mark,
                                        MSG_DONTWAIT | MSG_NOSIGNAL)> 0)
        ++capacity_;
    StampedMark read;
    while (read_mark(marks_.get(), read)) {
    }
    constexpr std::size_t fewest = 16;
    if (capacity_ < fewest) throw IoError("this system's sockets are too small to measure by");
}

void JobChannel::find_stamps() {
    // A system that stamps when a message is read, or not at all, says nothing about when it was
    // sent.
    offset_ns_ = clock_offset_ns();
    const std::int64_t before = steady_nanoseconds();
    (void)JobSide(job_control_.get(), job_marks_.get()).mark(Mark::begun);
    const std::int64_t after = steady_nanoseconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    StampedMark read;
    if (!read_mark(marks_.get(), read)) return;
    const std::int64_t at = read.at_ns - offset_ns_;
    stamped_ = at >= before - between_clocks_ns && at <= after + between_clocks_ns;
}

void JobChannel::close_job_end() {
    job_control_.close();
    job_marks_.close();
}

bool JobChannel::send(const Json& command) const {
    const std::string text = command.dump();
    return ::send(control_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
}

JobChannel::Received JobChannel::receive(Json& answer, double deadline) const {
    while (true) {
        constexpr double max_s = 1e6;
        const double left_s = std::clamp(deadline - steady_seconds(), 0.0, max_s);
        pollfd wait{control_.get(), POLLIN, 0};
        const int ready = ::poll(&wait, 1, static_cast<int>(std::ceil(left_s * 1e3)));
        if (ready == 0) return Received::nothing_in_time;
        if (ready < 0) continue;  // EINTR
        std::string text(max_job_answer + 1, '\0');
        const ssize_t got = ::recv(control_.get(), text.data(), text.size(), MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) return Received::gone;
        if (static_cast<std::size_t>(got) > max_job_answer)
            throw ConfigError("the process of the job gave an answer that is too long");
        text.resize(static_cast<std::size_t>(got));
        answer = parse_json(text, "answer of the job");
        if (!answer.is_object()) throw ConfigError("the process of the job gave no answer");
        return Received::answer;
    }
}

void JobChannel::begin_stretch() {
    offset_ns_ = clock_offset_ns();
    begun_ns_ = steady_nanoseconds();
}

std::vector<StampedMark> JobChannel::stretch() const {
    std::vector<StampedMark> marks;
    StampedMark read;
    while (marks.size() <= max_marks && read_mark(marks_.get(), read)) {
        if (!stamped_) read.at_ns = read.mark.own_ns + offset_ns_;
        read.at_ns -= offset_ns_;
        if (read.at_ns < begun_ns_ - between_clocks_ns)
            throw ConfigError("the process of the job sent marks before it was asked to run");
        marks.push_back(read);
    }
    if (marks.size() > capacity_) throw ConfigError("the process of the job sent too many marks");
    return marks;
}

bool JobChannel::clock_was_set() const {
    return stamped_ && std::abs(clock_offset_ns() - offset_ns_) > clock_step_ns;
}

std::optional<Json> JobSide::next_command() const {
    std::string text(max_job_answer, '\0');
    ssize_t got = 0;
    do got = ::recv(control_, text.data(), text.size(), 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(got));
    return parse_json(text, "command");
}

void JobSide::answer(const Json& answer) const {
    // Reasons may be of any bytes.
    const std::string text = answer.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (::send(control_, text.data(), text.size(), MSG_NOSIGNAL) < 0)
        throw IoError("cannot answer", std::strerror(errno));
}

std::int64_t JobSide::mark(Mark::Kind kind, double value, bool alone) const {
    const Mark mark{kind, alone ? 1U : 0U, steady_nanoseconds(), value};
    if (::send(marks_, &mark, sizeof mark, MSG_NOSIGNAL) < 0)
        throw IoError("cannot mark a run", std::strerror(errno));
    return mark.own_ns;
}

}  // namespace edgeloop
