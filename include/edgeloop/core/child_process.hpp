#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace edgeloop {

struct ChildOptions {
    std::vector<std::string> arguments;  ///< arguments[0] is the program's path
    /// Environment variables whose name starts with one of these are not passed on. MPI's own must
    /// not reach a helper that is not part of the job.
    std::vector<std::string> drop_environment = {"OMPI_", "PMIX_", "PMI_", "PRTE_", "SLURM_PMI"};
    /// When there are any, only variables that start with one of these are passed on.
    std::vector<std::string> keep_environment;
    std::vector<std::string> add_environment;  ///< "NAME=value"
    /// Open in the child: {descriptor of this process, number in the child}. Others than these are
    /// closed if they close on exec; standard input is empty when it is not among them.
    std::vector<std::pair<int, int>> descriptors;
    std::string output_file;  ///< stdout and stderr are appended there; inherited when empty
};

/// How a child ended.
struct ChildExit {
    int code = 0;    ///< exit code, when it exited
    int signal = 0;  ///< signal that killed it, or 0
};

/// A child process started with posix_spawn in its own process group; killed when destroyed.
///
/// Start children before MPI_Init: forking afterwards is unsafe with several transports.
class ChildProcess {
  public:
    /// @throws IoError when the program cannot be started.
    explicit ChildProcess(const ChildOptions& options);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// Non-blocking; repeated calls give the same answer once it has ended.
    std::optional<ChildExit> poll();
    /// Waits up to `seconds`.
    std::optional<ChildExit> wait_for(double seconds);
    /// SIGTERM to the group, SIGKILL after `grace_seconds` (0: at once), then reaps it.
    void terminate(double grace_seconds = 2.0);

  private:
    pid_t pid_ = -1;
    std::optional<ChildExit> exit_;
};

/// Path of the running program. @throws IoError.
[[nodiscard]] std::string own_program();
/// Path of a program in the same folder as the running one. @throws IoError when it is not there.
[[nodiscard]] std::string sibling_program(const std::string& name);

}  // namespace edgeloop
