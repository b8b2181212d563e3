#pragma once

#include "measuring.hpp"
#include "sandbox_settings.hpp"

#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/link/measurement.hpp"
#include "edgeloop/link/model_job.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace edgeloop {

struct ProcessOptions {
    std::vector<std::string> command;  ///< the program and its hidden subcommand
    std::vector<int> cores;            ///< pinned to these; empty: not pinned
    std::string weights_folder;        ///< where jobs find weights they name; empty: nowhere
    double memory_limit_mib = 0;       ///< in addition to the job's own; 0: none
    double time_limit_s = 3600;        ///< in addition to the job's own
    double patience = 1;               ///< as MeasuringLimits
    std::string device_class = {};     ///< likewise
    SandboxSettings sandbox = {};      ///< of each job
    SimulationPlace simulation = {};   ///< as MeasuringLimits
};

/// The agent's measuring process: loads the runtimes once, then measures one job after the other,
/// each in a process of its own (measuring_process_main). It has nothing of this process but two
/// pipes and a few environment variables. Whatever happens there is a result. REQUIRES: this
/// process starts no other children meanwhile, because what a job leaves behind becomes its child.
class MeasuringProcess {
  public:
    /// Starts it ahead of the first job. @throws IoError when it cannot be started.
    explicit MeasuringProcess(const ProcessOptions& options);
    ~MeasuringProcess();
    MeasuringProcess(const MeasuringProcess&) = delete;
    MeasuringProcess& operator=(const MeasuringProcess&) = delete;

    /// Hands over the job and waits for the answer, to the time limit at most. A process that had
    /// to be ended is started again.
    ///
    /// @param give_up  asked often; true ends the process and gives status lost.
    /// @param files  of a job about a model.
    /// @return completed, failed (with what the process died of), or lost.
    [[nodiscard]] MeasurementResult measure(const MeasurementJob& job,
                                            const std::function<bool()>& give_up,
                                            const ModelFiles& files = {});

    /// What holds the process of a job on this machine: as sandbox_report().
    ///
    /// @param give_up  as measure().
    /// @return nothing when it gave up.
    /// @throws IoError  none can be started, or it is not what the options require.
    [[nodiscard]] std::optional<Json> sandbox(bool tries, const std::function<bool()>& give_up);

  private:
    enum class End { answered, died, too_long, given_up };

    void start();
    bool send(std::string_view request);
    End receive(std::string& answer, double deadline, const std::function<bool()>& give_up);
    End ask(const Json& request, std::string& answer, double limit_s,
            const std::function<bool()>& give_up);
    [[nodiscard]] Json limits(double time_limit_s, double memory_limit_mib,
                              const ModelFiles& files = {}) const;
    void stop();

    ProcessOptions options_;
    std::unique_ptr<ChildProcess> child_;
    std::vector<pid_t> others_;    ///< children of this process before that one
    Descriptor request_, answer_;  ///< pipes to it and from it
};

}  // namespace edgeloop
