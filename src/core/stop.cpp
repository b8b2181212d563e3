#include "edgeloop/core/stop.hpp"

#include <atomic>
#include <csignal>
#include <initializer_list>

#include <unistd.h>

namespace edgeloop {
namespace {

std::atomic<int> requested{0};
std::atomic<bool> reload{false};
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");

extern "C" void on_stop_signal(int signal) {
    if (signal == SIGINT && requested.load() == SIGINT) ::_exit(128 + SIGINT);
    requested.store(signal);
}

extern "C" void on_reload_signal(int) { reload.store(true); }

void handle(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
}

}  // namespace

void install_stop_handlers(int extra_signal) {
    for (const int signal : {SIGINT, SIGTERM, extra_signal})
        if (signal != 0) handle(signal, on_stop_signal);
}

void install_reload_handler() { handle(SIGHUP, on_reload_signal); }

bool take_reload_request() noexcept { return reload.exchange(false); }

int stop_signal() noexcept { return requested.load(); }
void request_stop(int signal) noexcept { requested.store(signal); }
void clear_stop() noexcept { requested.store(0); }

}  // namespace edgeloop
