#include "accelerator/tool_run.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <regex>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop::accelerator {
namespace {

/// The last line of a text that says something.
std::string last_line(const std::string& text) {
    std::istringstream lines(text);
    std::string line, last;
    while (std::getline(lines, line))
        if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
    return printable(beginning(last, 300));
}

/// First error that a tool speaks of, else its last line.
std::string complaint_of(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (line.find("rror") != std::string::npos || line.find("ERROR") != std::string::npos)
            return printable(beginning(line, 300));
    return last_line(text);
}

std::optional<std::pair<int, int>> version_in(const std::string& text) {
    std::smatch found;
    if (!std::regex_search(text, found, std::regex(R"((\d+)\.(\d+))"))) return std::nullopt;
    return std::pair(std::stoi(found[1]), std::stoi(found[2]));
}

/// What a program says when it is asked for its version.
std::string said_version(const std::string& path, const Tool& tool) {
    ToolLimits limits;
    limits.seconds = 30;
    return Workshop(limits).run({path, tool.version_option}, "asking for its version");
}

std::string problem_of(const Tool& tool) {
    const std::string path = path_of(tool.program);
    if (path.empty())
        return fmt::format("{} is not installed; install the package {}", tool.program,
                           tool.package);
    if (tool.major == 0 && tool.minor == 0) return "";
    const auto version = version_in(said_version(path, tool));
    if (version && *version >= std::pair(tool.major, tool.minor)) return "";
    return fmt::format(
        "{} is too old or says no version: version {}.{:03} or newer is needed, the "
        "package {} of Debian 12 has it",
        path, tool.major, tool.minor, tool.package);
}

}  // namespace

std::string path_of(const char* program) {
    const char* const path = std::getenv("PATH");
    std::istringstream folders(path != nullptr ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');) {
        std::string candidate = folder + '/' + program;
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return "";
}

std::string problem_of(const std::vector<Tool>& tools) {
    for (const Tool& tool : tools)
        if (std::string problem = problem_of(tool); !problem.empty()) return problem;
    return "";
}

std::string tool_versions(const Fidelity& fidelity) {
    std::vector<Tool> tools;
    if (fidelity.simulate) tools.push_back(verilator);
    if (fidelity.synthesise || fidelity.place) tools.push_back(yosys);
    if (fidelity.place) tools.push_back(nextpnr_ice40);
    std::string versions;
    for (const Tool& tool : tools)
        versions +=
            (versions.empty() ? "" : "; ") + last_line(said_version(path_of(tool.program), tool));
    return versions;
}

Workshop::Workshop(const ToolLimits& limits)
    : limits_(limits), folder_(limits.folder), deadline_(steady_seconds() + limits.seconds) {
    if (folder_.empty())
        folder_ = temporary_.emplace().path();
    else
        make_directories(folder_);
}

void Workshop::write(const std::vector<TextOfFile>& files) const {
    for (const TextOfFile& file : files)
        write_file_atomic(folder_ + '/' + file.name, file.text, Durability::process_crash);
}

std::string Workshop::run(const std::vector<std::string>& command, const std::string& what) {
    const std::string output = fmt::format("{}/output-{}.txt", folder_, ++runs_);
    ChildOptions options;
    options.arguments = {
        "/bin/sh", "-c",
        fmt::format("ulimit -v {} && cd \"$0\" && exec \"$@\"", limits_.memory_mib * 1024),
        folder_};
    options.arguments.insert(options.arguments.end(), command.begin(), command.end());
    options.output_file = output;
    ChildProcess child(options);
    const auto end = child.wait_for(std::max(0.0, deadline_ - steady_seconds()));
    if (!end) {
        child.terminate(0);
        throw IoError(
            fmt::format("{} took longer than its limit of {:.0f} s", what, limits_.seconds), {},
            "raise the limit, or use a smaller design");
    }
    constexpr std::uint64_t most = std::uint64_t{64} << 20;
    std::string text = read_file(output, most);
    if (end->code != 0 || end->signal != 0)
        throw IoError(fmt::format("{} failed", what),
                      end->signal != 0 ? fmt::format("signal {}", end->signal) : complaint_of(text),
                      fmt::format("the limit of memory is {} MiB", limits_.memory_mib));
    return text;
}

}  // namespace edgeloop::accelerator
