#pragma once

namespace edgeloop {

/// Turns SIGINT, SIGTERM and `extra_signal` (0: none) into a flag; a second SIGINT ends the process
/// at once. Call once, before threads start.
void install_stop_handlers(int extra_signal = 0);

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
