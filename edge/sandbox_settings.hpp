#pragma once

#include "edgeloop/core/json.hpp"

#include <string>

namespace edgeloop {

/// How much of the sandbox there has to be.
enum class SandboxMode {
    off,
    best,     ///< what the kernel gives; the record says what that is
    require,  ///< nothing is measured without is_strong()
};

/// How the process of a job is held. README.md lists the layers.
struct SandboxSettings {
    SandboxMode mode = SandboxMode::best;
    /// The process of a job becomes this user and group; -1: it stays who it is.
    int user = -1, group = -1;

    /// What an operator says.
    ///
    /// @param mode  off, best or require.
    /// @param user  name or number. Empty: for root a number that no account has and that differs
    ///              from agent to agent, or 65534 (nobody) where this system has no such number, as
    ///              in many containers; others stay who they are.
    /// @throws ConfigError  an unknown mode or user, or one that only root can choose.
    [[nodiscard]] static SandboxSettings of(const std::string& mode, const std::string& user);

    [[nodiscard]] Json to_json() const;
    /// @throws ConfigError  for anything else than to_json() gives.
    [[nodiscard]] static SandboxSettings from_json(const Json& json);
};

/// Whether a report of confine() and confine_calls() is of a sandbox that a network reaches neither
/// files nor other processes nor any network from.
[[nodiscard]] bool is_strong(const Json& report);

/// @throws IoError  `settings` require a strong sandbox and this report is not of one; says what it
///                  lacks.
void require_as_set(const SandboxSettings& settings, const Json& report);

}  // namespace edgeloop
