#include "edgeloop/core/child_process.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace edgeloop {
namespace {

std::vector<std::string> child_environment(const ChildOptions& options) {
    const auto starts_with_one = [](const std::string& variable,
                                    const std::vector<std::string>& prefixes) {
        return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
            return variable.rfind(prefix, 0) == 0;
        });
    };
    const std::vector<std::string>& kept = options.keep_environment;
    std::vector<std::string> variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string variable = *entry;
        if (!starts_with_one(variable, options.drop_environment) &&
            (kept.empty() || starts_with_one(variable, kept)))
            variables.push_back(variable);
    }
    variables.insert(variables.end(), options.add_environment.begin(),
                     options.add_environment.end());
    return variables;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& text : strings) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

ChildProcess::ChildProcess(const ChildOptions& options) {
    EDGELOOP_EXPECT(!options.arguments.empty(), "a child needs a program");
    std::vector<std::string> arguments = options.arguments,
                             environment = child_environment(options);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!options.output_file.empty()) {
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, options.output_file.c_str(),
                                         O_WRONLY | O_CREAT | O_APPEND, 0644);
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    }
    for (const auto& [ours, theirs] : options.descriptors)
        posix_spawn_file_actions_adddup2(&actions, ours, theirs);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // Its own group, so that its children end with it; default signals, so that it can be ended.
    sigset_t defaults;
    sigemptyset(&defaults);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&defaults, signal);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);

    const int code = ::posix_spawn(&pid_, arguments[0].c_str(), &actions, &attributes,
                                   pointers(arguments).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (code != 0) {
        pid_ = -1;
        throw IoError(fmt::format("cannot start '{}'", options.arguments[0]), std::strerror(code));
    }
}

ChildProcess::~ChildProcess() {
    if (pid_ > 0 && !poll()) terminate(1.0);
}

std::optional<ChildExit> ChildProcess::poll() {
    if (exit_ || pid_ < 0) return exit_;
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_)
        exit_ = WIFSIGNALED(status) ? ChildExit{0, WTERMSIG(status)}
                                    : ChildExit{WEXITSTATUS(status), 0};
    else if (got < 0 && errno == ECHILD)
        exit_ = ChildExit{};  // reaped elsewhere; its status is lost
    return exit_;
}

std::optional<ChildExit> ChildProcess::wait_for(double seconds) {
    const double deadline = steady_seconds() + seconds;
    BackOff back_off;
    while (!poll() && steady_seconds() < deadline) back_off.wait();
    return exit_;
}

void ChildProcess::terminate(double grace_seconds) {
    if (pid_ < 0 || exit_) return;
    if (grace_seconds > 0) {
        ::kill(-pid_, SIGTERM);
        if (wait_for(grace_seconds)) return;
    }
    ::kill(-pid_, SIGKILL);
    wait_for(10.0);
}

std::string own_program() {
    std::error_code error;
    const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) throw IoError("cannot find the path of this program", error.message());
    return path.string();
}

std::string sibling_program(const std::string& name) {
    const auto path = std::filesystem::path(own_program()).replace_filename(name);
    if (::access(path.c_str(), X_OK) != 0)
        throw IoError(fmt::format("the program '{}' was not found beside this one", name),
                      path.string(), "install all edgeloop programs into one folder");
    return path.string();
}

}  // namespace edgeloop
