#pragma once

#include "sandbox_settings.hpp"

#include "edgeloop/core/json.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// What bounds the process of a job beside its memory.
struct JobBounds {
    bool gpu = false;
    int threads = 1;            ///< of the job
    double time_limit_s = 300;  ///< its processor time cannot be more than this on every core
    std::string folder = {};    ///< of programs that it starts; empty: it starts none
};

/// Keeps processes of the same user from looking into the memory of this one (ptrace, /proc), and
/// core files from having it.
void hide_memory();

/// Beginnings of the environment variables that the measuring process gets: what the loader, the
/// language and the runtimes' threads need.
[[nodiscard]] const std::vector<std::string>& passed_environment();

/// Closes every descriptor from `first` on.
void close_descriptors_from(int first);

/// The measuring process, once: no network and no memory shared with other programs, by namespaces
/// of its own. @return names of those that it got.
[[nodiscard]] std::vector<std::string> leave_namespaces();

/// Whoever starts the process of a job: what it starts from here on sees no other processes, and is
/// the first to go when memory runs out. @return as leave_namespaces().
[[nodiscard]] std::vector<std::string> prepare_for_a_job(const SandboxSettings& settings);

/// The process of a job, before it has a second thread: limits, another user, no rights, no files
/// but view_of_a_job(), and it ends with its parent.
///
/// @param namespaces  that it is in.
/// @return what holds it, for the record.
/// @throws IoError  it could not become the other user.
[[nodiscard]] Json confine(const SandboxSettings& settings, const JobBounds& bounds,
                           const std::vector<std::string>& namespaces);

/// The process of a job that starts tools, whose calls cannot be filtered as those of computing.
/// Adds to the report of confine().
void note_open_calls(Json& report);

/// The process of a job, before it reads anything of the job: no system calls but those of
/// computing. Adds to the report of confine().
void confine_calls(const SandboxSettings& settings, const JobBounds& bounds, Json& report);

}  // namespace edgeloop
