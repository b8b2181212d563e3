// A measuring process whose "network" does what the spec says, for tests of the agent.
#include "job_channel.hpp"
#include "measuring_child.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

using namespace edgeloop;

/// What the clocks of this process show of what passes.
double clock_share = 1;

std::int64_t true_ns(clockid_t which = CLOCK_MONOTONIC) {
    timespec now{};
    ::syscall(SYS_clock_gettime, which, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

constexpr int control = 3, marks = 4;  ///< the ends that the process of a job has

void say(std::string_view text) { (void)::send(control, text.data(), text.size(), MSG_NOSIGNAL); }
void mark(Mark::Kind kind) { (void)JobSide(control, marks).mark(kind); }

std::string open_descriptors() {
    std::string all;
    for (int descriptor = 0; descriptor < 1024; ++descriptor)
        if (::fcntl(descriptor, F_GETFD) >= 0) all += fmt::format(" {}", descriptor);
    return all;
}

/// A process in a session of its own, whose parent has ended.
void leave_a_daemon() {
    const pid_t first = ::fork();
    if (first == 0) {
        ::setsid();
        if (::fork() != 0) ::_exit(0);
        while (true) ::pause();
    }
    ::waitpid(first, nullptr, 0);
}

/// What happens before there is a network.
void misbehave_at_first(const std::string& behaviour, const MeasurementSettings& settings) {
    if (behaviour == "show weights") throw ConfigError("weights: " + read_file(settings.weights));
    if (behaviour == "name weights") throw ConfigError("bad weights in " + settings.weights);
    if (behaviour == "fail loudly")
        throw ConfigError("\x1b[31m\xff" + std::string(50'000, 'x') + "\xc3\xa4");
    if (behaviour == "refuse") throw NetworkError("this network cannot be built");
    if (behaviour == "show descriptors") throw ConfigError("open:" + open_descriptors());
    if (behaviour == "show environment")
        throw ConfigError(std::getenv("EDGELOOP_TEST_SECRET") == nullptr ? "none" : "the secret");
    if (behaviour == "hang at first")
        while (true) std::this_thread::sleep_for(std::chrono::seconds(1));
    if (behaviour.rfind("daemon", 0) == 0) leave_a_daemon();
    if (behaviour == "daemon and kill") ::kill(::getppid(), SIGKILL);
    if (behaviour == "slow clock") clock_share = 0.1;
    if (behaviour == "answer unasked") say(R"({"number":1})");
    if (behaviour == "answer nonsense") say("nonsense");
    if (behaviour == "answer deeply") say(std::string(5000, '['));
    if (behaviour == "answer at length") say(std::string(100'000, ' '));
    if (behaviour == "mark early") {
        mark(Mark::done);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

class Misbehaving final : public Runtime {
  public:
    Misbehaving(std::string behaviour, const MeasurementSettings& settings)
        : behaviour_(std::move(behaviour)) {
        misbehave_at_first(behaviour_, settings);
    }
    void prepare(int) override {}
    void run() override {
        if (behaviour_ == "exit") ::_exit(7);
        if (behaviour_ == "abort") std::abort();
        if (behaviour_ == "hang")
            while (true) std::this_thread::sleep_for(std::chrono::seconds(1));
        if (behaviour_ == "allocate")
            while (true) hoard_.emplace_back(1 << 20, 'x');
        if (behaviour_ == "leave") {
            ::close(control);
            ::close(marks);
            while (true) ::pause();
        }
        if (behaviour_ == "mark wrongly") mark(Mark::begun);
        if (behaviour_ == "mark nonsense") (void)::send(marks, "x", 1, MSG_NOSIGNAL);
        if (behaviour_ == "mark without end")
            while (::send(marks, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
            }
        if (behaviour_ == "slow clock") {
            constexpr std::int64_t two_ms = 2'000'000;
            for (const std::int64_t end = true_ns() + two_ms; true_ns() < end;) {
            }
            return;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    [[nodiscard]] Metrics facts() const override {
        // What it says of anything but its size counts for nothing.
        return {{"parameters", 1}, {"latency_ms", 1e-9}, {"val_rmse", 0}};
    }

  private:
    std::string behaviour_;
    std::vector<std::vector<char>> hoard_;
};

}  // namespace

/// As a network that has taken over its process would have it: all clocks go through here.
extern "C" int clock_gettime(clockid_t which, timespec* now) noexcept {
    static std::map<clockid_t, std::int64_t> first;
    std::int64_t shown = true_ns(which);
    if (clock_share < 1) {
        const std::int64_t begin = first.emplace(which, shown).first->second;
        shown = begin + static_cast<std::int64_t>(static_cast<double>(shown - begin) * clock_share);
    }
    now->tv_sec = shown / 1'000'000'000;
    now->tv_nsec = shown % 1'000'000'000;
    return 0;
}

int main() {
    return run_program([] {
        return measuring_process_main(
            [](const Json& spec, const MeasurementSettings& settings) {
                return std::make_unique<Misbehaving>(spec.at("behaviour"), settings);
            },
            [](const MeasurementSettings&) {}, 3);
    });
}
