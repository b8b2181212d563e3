#pragma once

#include "edgeloop/link/measurement.hpp"

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace edgeloop {

struct ProcessOptions {
    std::vector<std::string> command;  ///< the program and its hidden subcommand
    std::vector<int> cores;            ///< pinned to these; empty: not pinned
    double memory_limit_mib = 0;       ///< in addition to the job's own; 0: none
    double time_limit_s = 3600;        ///< in addition to the job's own
};

/// A measuring process: started ahead of its job (so that loading the runtime is over when the job
/// comes), given one job, ended afterwards. Whatever happens to it is a result.
class MeasuringProcess {
  public:
    /// Starts it; it waits for its job. @throws IoError when it cannot be started.
    explicit MeasuringProcess(const ProcessOptions& options);
    ~MeasuringProcess();
    MeasuringProcess(const MeasuringProcess&) = delete;
    MeasuringProcess& operator=(const MeasuringProcess&) = delete;

    /// Hands over the job and waits for the answer, to the time limit at most.
    ///
    /// @param give_up  asked often; true ends the process and gives status lost.
    /// @return completed, failed (with what the process died of), or lost.
    /// REQUIRES: first call.
    [[nodiscard]] MeasurementResult measure(const MeasurementJob& job,
                                            const std::function<bool()>& give_up);
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    enum class End { answered, died, too_long, given_up };

    bool send(const std::string& request);
    End receive(std::string& answer, double deadline, const std::function<bool()>& give_up);
    [[nodiscard]] std::string cause_of_death();
    void reap(bool kill);

    ProcessOptions options_;
    pid_t pid_ = -1;
    int request_fd_ = -1, answer_fd_ = -1;
    int wait_status_ = 0;
};

}  // namespace edgeloop
