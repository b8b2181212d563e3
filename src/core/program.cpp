#include "edgeloop/core/program.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <exception>
#include <system_error>

namespace edgeloop {

int run_program(const std::function<int()>& body, const std::function<void(int)>& on_error) {
    int code = static_cast<int>(ExitCode::bug);
    try {
        return body();
    } catch (const Stopped& stopped) {
        log::warning("{}", stopped.what());
        code = static_cast<int>(stopped.exit_code());
    } catch (const Error& error) {
        log::error("{}", error.what());
        code = static_cast<int>(error.exit_code());
    } catch (const std::system_error& error) {
        // What printing throws when standard output is full or closed.
        log::error("{}", error.what());
        code = static_cast<int>(ExitCode::environment);
    } catch (const std::exception& error) {
        log::error("unexpected: {} (this is a bug in edgeloop, please report it)", error.what());
    }
    if (on_error) on_error(code);
    return code;
}

}  // namespace edgeloop
