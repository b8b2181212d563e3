#include "sandbox_settings.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pwd.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr int nobody = 65534;
/// Own users begin here, one for the number of each agent's process: above what systems give to
/// accounts and to the users of containers.
constexpr int first_own_user = 2'000'000'000;

constexpr std::pair<const char*, SandboxMode> modes[] = {
    {"off", SandboxMode::off}, {"best", SandboxMode::best}, {"require", SandboxMode::require}};

SandboxMode mode_of(const std::string& word) {
    for (const auto& [name, mode] : modes)
        if (word == name) return mode;
    throw ConfigError(fmt::format("'{}' is no kind of sandbox", word), {},
                      "use off, best or require");
}

/// Whether this system has a user of this number: lines of "inside outside length".
bool is_mapped(int id) {
    std::ifstream map("/proc/self/uid_map");
    for (long inside = 0, outside = 0, length = 0; map >> inside >> outside >> length;)
        if (id >= inside && id - inside < length) return true;
    return false;
}

std::vector<std::string> shortcomings_of(const Json& report) {
    std::vector<std::string> missing;
    if (!report.value("seccomp", false)) missing.emplace_back("filtering of system calls");
    const std::string files = report.value("files", "");
    if (files != "landlock" && files != "mounts")
        missing.emplace_back("a view of the file system of its own (Landlock, mount namespace)");
    if (report.value("capabilities", "") != "none") missing.emplace_back("being without rights");
    return missing;
}

}  // namespace

SandboxSettings SandboxSettings::of(const std::string& mode, const std::string& user) {
    SandboxSettings settings;
    settings.mode = mode_of(mode);
    const bool root = ::geteuid() == 0;
    if (user.empty()) {
        if (!root || settings.mode == SandboxMode::off) return settings;
        const int own = first_own_user + static_cast<int>(::getpid());
        settings.user = settings.group = is_mapped(own) ? own : nobody;
        return settings;
    }
    if (!root)
        throw ConfigError("--sandbox-user is root's to choose", "this agent runs as another user",
                          "leave it out, or start the agent as root");
    if (const auto number = number_in<int>(user); number && *number > 0) {
        settings.user = settings.group = *number;
    } else if (const passwd* account = number ? nullptr : ::getpwnam(user.c_str())) {
        settings.user = static_cast<int>(account->pw_uid);
        settings.group = static_cast<int>(account->pw_gid);
    }
    if (settings.user <= 0)
        throw ConfigError(fmt::format("--sandbox-user '{}' is not a user to measure as", user), {},
                          "give the name of an account, or a number above 0");
    return settings;
}

Json SandboxSettings::to_json() const {
    for (const auto& [name, each] : modes)
        if (each == mode) return {{"mode", name}, {"user", user}, {"group", group}};
    throw LogicError("a sandbox of no kind");
}

SandboxSettings SandboxSettings::from_json(const Json& json) {
    require_known_keys(json, {"mode", "user", "group"}, "sandbox");
    try {
        SandboxSettings settings;
        settings.mode = mode_of(json.at("mode"));
        settings.user = json.at("user");
        settings.group = json.at("group");
        return settings;
    } catch (const Json::exception& error) {
        throw ConfigError("not the settings of a sandbox", error.what());
    }
}

bool is_strong(const Json& report) { return shortcomings_of(report).empty(); }

void require_as_set(const SandboxSettings& settings, const Json& report) {
    if (settings.mode != SandboxMode::require || is_strong(report)) return;
    throw IoError("this machine cannot hold networks in the sandbox that is required",
                  fmt::format("it lacks {}", fmt::join(shortcomings_of(report), ", ")),
                  "see edge/operating.md, or measure with --sandbox best");
}

}  // namespace edgeloop
