#pragma once

#include <stdexcept>
#include <string>

namespace edgeloop {

/// Exit codes of every edgeloop program. Part of the interface: scripts rely on them.
enum class ExitCode : int {
    done = 0,
    bad_input = 2,      ///< usage, configuration or input data the user can mend
    environment = 3,    ///< I/O, MPI or network failed
    corrupt_state = 4,  ///< a checkpoint or journal that cannot be trusted
    bug = 70,           ///< a broken promise inside edgeloop
    stopped = 75,  ///< stopped on a signal or limit, checkpoint written: run again with --resume
};

/// Base of all errors edgeloop throws across module borders.
///
/// The text reads "problem (why it matters); suggestion". The parts stay available so that tests
/// check fields rather than prose.
class Error : public std::runtime_error {
  public:
    Error(ExitCode code, std::string problem, std::string why, std::string suggestion);

    [[nodiscard]] ExitCode exit_code() const noexcept { return code_; }
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] const std::string& suggestion() const noexcept { return suggestion_; }

  private:
    ExitCode code_;
    std::string problem_, why_, suggestion_;
};

/// A broken promise inside edgeloop: always a bug. Exit 70.
class LogicError : public Error {
  public:
    explicit LogicError(std::string problem, std::string why = {}, std::string suggestion = {})
        : Error(ExitCode::bug, std::move(problem), std::move(why), std::move(suggestion)) {}
};

/// Something the user gave us is wrong: option, file, space, dataset. Exit 2.
class ConfigError : public Error {
  public:
    explicit ConfigError(std::string problem, std::string why = {}, std::string suggestion = {})
        : Error(ExitCode::bad_input, std::move(problem), std::move(why), std::move(suggestion)) {}
};

/// A file or the operating system failed us. Exit 3.
class IoError : public Error {
  public:
    explicit IoError(std::string problem, std::string why = {}, std::string suggestion = {})
        : Error(ExitCode::environment, std::move(problem), std::move(why), std::move(suggestion)) {}
};

/// MPI or the network failed us. Exit 3.
class CommError : public Error {
  public:
    explicit CommError(std::string problem, std::string why = {}, std::string suggestion = {})
        : Error(ExitCode::environment, std::move(problem), std::move(why), std::move(suggestion)) {}
};

/// A checkpoint, journal or message that fails its checks. Exit 4.
class CorruptState : public Error {
  public:
    explicit CorruptState(std::string problem, std::string why = {}, std::string suggestion = {})
        : Error(ExitCode::corrupt_state, std::move(problem), std::move(why),
                std::move(suggestion)) {}
};

/// The run was stopped on request after saving its state. Exit 75.
class Stopped : public Error {
  public:
    explicit Stopped(std::string problem, std::string why = {}, std::string suggestion = {})
        : Error(ExitCode::stopped, std::move(problem), std::move(why), std::move(suggestion)) {}
};

/// Throws LogicError unless `condition` holds. For promises between parts of edgeloop; what a user
/// can get wrong is checked with `throw ConfigError(...)` instead.
#define EDGELOOP_EXPECT(condition, message)                                                  \
    do {                                                                                     \
        if (!(condition))                                                                    \
            ::edgeloop::detail::broken_expectation(#condition, message, __FILE__, __LINE__); \
    } while (false)

namespace detail {
[[noreturn]] void broken_expectation(const char* condition, const std::string& message,
                                     const char* file, int line);
}  // namespace detail

}  // namespace edgeloop
