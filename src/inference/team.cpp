#include "inference/team.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"

#include <system_error>

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace edgeloop::inference {
namespace {

/// About 50 us on a processor of today: longer than from one layer to the next, or from a run to
/// the next of a program that does little else.
constexpr int spins = 2000;

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/// Spins until `done`; lets others run from time to time, as there may be fewer cores than threads.
template <class Done>
void spin_until(const Done& done) {
    for (int i = 1; !done(); ++i) {
        relax();
        if (i % spins == 0) ::sched_yield();
    }
}

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
    return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word),
                     operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

}  // namespace

Team::Team(int threads, const std::vector<int>& cpus) : size_(threads) {
    EDGELOOP_EXPECT(threads >= 1, "a team without threads");
    EDGELOOP_EXPECT(cpus.empty() || cpus.size() >= static_cast<std::size_t>(threads),
                    "each thread needs a processor");
    std::atomic<int> refused{0}, started{0};
    try {
        for (int i = 1; i < threads; ++i)
            threads_.emplace_back([this, i, &cpus, &refused, &started] {
                if (!cpus.empty() && !pin_to_cpus({cpus[static_cast<std::size_t>(i)]})) ++refused;
                ++started;
                work(i);
            });
    } catch (const std::system_error& error) {
        spin_until([&] { return started == static_cast<int>(threads_.size()); });
        stop();
        throw IoError("a thread cannot be started", error.what());
    }
    spin_until([&] { return started == threads - 1; });
    if (refused == 0) return;
    stop();
    throw IoError("a thread cannot be pinned to its processor");
}

Team::~Team() { stop(); }

void Team::stop() {
    ends_ = true;
    ++call_;
    (void)futex(call_, FUTEX_WAKE, static_cast<std::uint32_t>(size_));
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

void Team::run(Body body, void* context) {
    if (size_ == 1) return body(context, 0);
    body_ = body;
    context_ = context;
    done_.store(0, std::memory_order_relaxed);
    ++call_;
    if (sleeping_ != 0) (void)futex(call_, FUTEX_WAKE, static_cast<std::uint32_t>(size_));
    body(context, 0);
    const auto others = static_cast<std::uint32_t>(size_ - 1);
    spin_until([&] { return done_.load(std::memory_order_acquire) == others; });
}

void Team::meet() {
    if (size_ == 1) return;
    const std::uint32_t meeting = meetings_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(size_)) {
        arrived_.store(0, std::memory_order_relaxed);
        meetings_.store(meeting + 1, std::memory_order_release);
        return;
    }
    spin_until([&] { return meetings_.load(std::memory_order_acquire) != meeting; });
}

void Team::work(int thread) {
    for (std::uint32_t seen = 0;; ++seen) {
        for (int i = 0; i < spins && call_ == seen; ++i) relax();
        while (call_ == seen) {
            ++sleeping_;
            (void)futex(call_, FUTEX_WAIT, seen);
            --sleeping_;
        }
        if (ends_) return;
        body_(context_, thread);
        done_.fetch_add(1, std::memory_order_release);
    }
}

}  // namespace edgeloop::inference
