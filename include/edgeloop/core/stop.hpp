#pragma once

namespace edgeloop {

/// Turns SIGINT, SIGTERM and `extra_signal` (0: none) into a flag; a second SIGINT ends the process
/// at once, and a second SIGTERM if it comes a second or more after the first (launchers send it
/// twice in a row). Call once, before threads start.
void install_stop_handlers(int extra_signal = 0);

/// From here on SIGTERM ends the process after so many seconds at the latest, whatever it does or
/// waits for (a person who presses Ctrl-C can wait, or press it twice), with ExitCode::stopped and
/// a line on stderr; in order if it sees the flag before. For phases in which nothing is lost then:
/// files appear whole or not at all. 0: from here on it may take its time. Call it from the thread
/// that installed the handlers.
void limit_stopping(double seconds = 1.8);

/// Makes SIGHUP ask for settings to be read again instead of ending the process, as daemons do.
void install_reload_handler();
/// Whether SIGHUP arrived since the last call.
[[nodiscard]] bool take_reload_request() noexcept;

/// The signal that asked this process to stop, or 0.
[[nodiscard]] int stop_signal() noexcept;

/// As if a signal had arrived; for tests and time limits.
void request_stop(int signal) noexcept;
/// Forgets any request. For tests.
void clear_stop() noexcept;

}  // namespace edgeloop
