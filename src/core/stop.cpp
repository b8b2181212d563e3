#include "edgeloop/core/stop.hpp"

#include "edgeloop/core/error.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <initializer_list>

#include <unistd.h>

namespace edgeloop {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

std::atomic<int> requested{0};
std::atomic<bool> reload{false};
std::atomic<std::int64_t> first_terminate_ns{0};  ///< when the first SIGTERM came
// Of limit_stopping(). The kernel counts: a thread of ours might be what hangs.
std::atomic<std::int64_t> limit_ns{0};  ///< 0: none
std::atomic<bool> counting{false};
timer_t countdown;
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "used in a signal handler");

std::int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * second_ns + now.tv_nsec;
}

void set_countdown(std::int64_t ns) {
    itimerspec to{};
    to.it_value.tv_sec = static_cast<time_t>(ns / second_ns);
    to.it_value.tv_nsec = static_cast<long>(ns % second_ns);
    ::timer_settime(countdown, 0, &to, nullptr);
}

void start_countdown() {
    const std::int64_t limit = limit_ns.load();
    if (limit > 0 && !counting.exchange(true)) set_countdown(limit);
}

/// Libraries that MPI loads may use SIGALRM.
int countdown_signal() { return SIGRTMIN + 7; }

[[noreturn]] void end_at_once() {
    constexpr char text[] =
        "ended by a signal in the middle of something that could not be interrupted; no file is "
        "half written under its name\n";
    if (::write(STDERR_FILENO, text, sizeof text - 1) < 0) {  // nobody is left to be told
    }
    ::_exit(static_cast<int>(ExitCode::stopped));
}

extern "C" void on_countdown(int, siginfo_t* info, void*) {
    if (info->si_code == SI_TIMER && info->si_value.sival_ptr == &countdown) end_at_once();
}

extern "C" void on_stop_signal(int signal) {
    const int code = errno;
    if (signal == SIGINT && requested.load() == SIGINT) ::_exit(128 + SIGINT);
    if (signal == SIGTERM) {
        std::int64_t first = 0;
        const std::int64_t now = now_ns();
        if (!first_terminate_ns.compare_exchange_strong(first, now) && now - first >= second_ns)
            end_at_once();
    }
    requested.store(signal);
    if (signal == SIGTERM) start_countdown();
    errno = code;
}

extern "C" void on_reload_signal(int) { reload.store(true); }

void handle(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
}

/// @return whether there is a timer: a process may have only so many.
bool make_countdown() {
    static const bool made = [] {
        struct sigaction action {};
        action.sa_sigaction = on_countdown;
        sigemptyset(&action.sa_mask);
        action.sa_flags = SA_RESTART | SA_SIGINFO;
        ::sigaction(countdown_signal(), &action, nullptr);
        sigset_t mine;
        sigemptyset(&mine);
        sigaddset(&mine, countdown_signal());
        ::pthread_sigmask(SIG_UNBLOCK, &mine, nullptr);
        sigevent event{};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = countdown_signal();
        event.sigev_value.sival_ptr = &countdown;
        return ::timer_create(CLOCK_MONOTONIC, &event, &countdown) == 0;
    }();
    return made;
}

}  // namespace

void install_stop_handlers(int extra_signal) {
    for (const int signal : {SIGINT, SIGTERM, extra_signal})
        if (signal != 0) handle(signal, on_stop_signal);
}

void limit_stopping(double seconds) {
    if (!make_countdown()) return;
    limit_ns.store(0);
    set_countdown(0);
    counting.store(false);
    limit_ns.store(static_cast<std::int64_t>(seconds * static_cast<double>(second_ns)));
    if (requested.load() == SIGTERM) start_countdown();
}

void install_reload_handler() { handle(SIGHUP, on_reload_signal); }

bool take_reload_request() noexcept { return reload.exchange(false); }

int stop_signal() noexcept { return requested.load(); }
void request_stop(int signal) noexcept { requested.store(signal); }
void clear_stop() noexcept {
    requested.store(0);
    first_terminate_ns.store(0);
}

}  // namespace edgeloop
