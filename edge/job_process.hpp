#pragma once

#include "job_channel.hpp"
#include "sandbox_settings.hpp"

#include "edgeloop/core/json.hpp"

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace edgeloop {

/// Path by which the process of a job opens the one file that it may be given.
constexpr const char* file_of_a_job = "/proc/self/fd/5";

/// The process of one job, as whoever measures has it: asked over a channel, looked at from
/// outside, and gone with everything that it has started when this is.
///
/// It is the grandchild of this process until its parent has ended, because only a new process can
/// be the first of a namespace; then it is the child (this makes the process a subreaper).
class JobProcess {
  public:
    /// What runs in the process, with its end of the channel and the names of the namespaces that
    /// it is in.
    using Body =
        std::function<void(const JobSide& side, const std::vector<std::string>& namespaces)>;

    /// Returns when the process is there and its body runs. @throws IoError.
    ///
    /// @param time_limit_s  from now on, for all answers.
    /// @param file  a descriptor that the process has as `file_of_a_job`; -1: none.
    JobProcess(const SandboxSettings& settings, double time_limit_s, int file, const Body& body);
    ~JobProcess();
    JobProcess(const JobProcess&) = delete;
    JobProcess& operator=(const JobProcess&) = delete;

    /// Sends a command and waits for its answer.
    /// @throws ConfigError  it failed with a reason, has ended, gave no answer in time, or what it
    /// said is no answer; NetworkError  it failed and says that the network is to blame.
    [[nodiscard]] Json ask(Json command);

    [[nodiscard]] JobChannel& channel() { return channel_; }
    [[nodiscard]] pid_t pid() const { return pid_; }

    // From outside, where it cannot lie.
    /// Processor time of all its threads. @throws ConfigError  it has ended.
    [[nodiscard]] double cpu_seconds();
    /// How often its threads have lost a processor to others.
    [[nodiscard]] long involuntary_switches() const;
    /// Of /proc/PID/status, e.g. VmHWM; 0 when it is not there.
    [[nodiscard]] double memory_mib(const std::string& kind) const;

  private:
    void start(const SandboxSettings& settings, int file, const Body& body);
    [[nodiscard]] std::string cause_of_death();

    JobChannel channel_;
    double time_limit_s_, deadline_;
    pid_t pid_ = -1;
};

/// Children of this process, also those that have ended and were not reaped.
[[nodiscard]] std::vector<pid_t> children_of_this_process();

/// Ends and reaps every child of this process, and theirs that become its own, but these. For a
/// process that takes those in who lose their parent (a subreaper) and has no other children.
/// @throws IoError  some do not end, e.g. because they start new ones faster.
void end_all_children(const std::vector<pid_t>& but = {});

}  // namespace edgeloop
