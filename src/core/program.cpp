#include "edgeloop/core/program.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <cstdlib>
#include <exception>
#include <new>
#include <system_error>

namespace edgeloop {
namespace {

/// One line and an exit code for the exception being handled.
int report_current_exception() noexcept {
    try {
        throw;
    } catch (const Stopped& stopped) {
        log::warning("{}", stopped.what());
        return static_cast<int>(stopped.exit_code());
    } catch (const Error& error) {
        log::error("{}", error.what());
        return static_cast<int>(error.exit_code());
    } catch (const std::system_error& error) {
        // What printing throws when standard output is full or closed.
        log::error("{}", error.what());
        return static_cast<int>(ExitCode::environment);
    } catch (const std::bad_alloc&) {
        log::error("out of memory");
        return static_cast<int>(ExitCode::environment);
    } catch (const std::exception& error) {
        log::error("unexpected: {} (this is a bug in edgeloop, please report it)", error.what());
    } catch (...) {
        log::error(
            "unexpected: an exception of unknown type (this is a bug in edgeloop, please "
            "report it)");
    }
    return static_cast<int>(ExitCode::bug);
}

// An exception that leaves a thread other than the main one, or that nothing could catch, would end
// the process by SIGABRT. It ends at once with the exit code instead: other threads still run, so
// nothing can be tidied up, and a launcher such as mpirun ends the other ranks.
[[noreturn]] void end_by_exception() noexcept {
    int code = static_cast<int>(ExitCode::bug);
    if (std::current_exception())
        code = report_current_exception();
    else
        log::error("unexpected: std::terminate() (this is a bug in edgeloop, please report it)");
    std::_Exit(code);
}

}  // namespace

int run_program(const std::function<int()>& body, const std::function<void(int)>& on_error) {
    std::set_terminate(end_by_exception);
    int code = static_cast<int>(ExitCode::bug);
    try {
        return body();
    } catch (...) {
        code = report_current_exception();
    }
    if (on_error) on_error(code);
    return code;
}

}  // namespace edgeloop
