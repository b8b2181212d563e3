#pragma once

#include "harness.hpp"
#include "job_process.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace edgeloop {

/// What the process of a job takes for what is not the network, seen before it has read anything of
/// the job: it can still be believed.
struct Rehearsal {
    double mark_ms = 0;                 ///< saying that something is done
    double look_ms = 0;                 ///< at its core
    std::optional<double> prepared_ms;  ///< making a clip; none: its network sees none
};

/// @throws ConfigError  as JobProcess::ask().
[[nodiscard]] Rehearsal rehearse(JobProcess& process);

/// The runs of a network in the process of a job. It runs the network in stretches, and when the
/// kernel got its marks says how long each run took: the clock is read where the network cannot
/// reach it, and nothing waits for anybody within a stretch.
class RemoteRunner final : public Runner {
  public:
    struct Options {
        double stretch_s = 0.1;     ///< what a stretch lasts, if its marks do not fill it before
        bool prepares = false;      ///< whether each run is prepared
        bool clock_varies = false;  ///< whether the clock of the core tells its speed
        bool looks = false;         ///< whether it looks at its core; else nothing disturbs it
    };

    /// Takes the first stretch. @throws ConfigError  as JobProcess::ask(), here and later.
    RemoteRunner(JobProcess& process, const Rehearsal& reference, const Options& options);

    RunTimes run() override;
    bool ends_block(double seconds) override;
    double speed() override;
    std::int64_t now_ns() override { return last_ns_; }

    /// All that the process has made, whether they were looked at or not.
    [[nodiscard]] std::size_t runs() const { return runs_; }
    /// Seconds of all stretches.
    [[nodiscard]] double seconds() const { return seconds_; }
    /// Of each look at the core, without the mark.
    [[nodiscard]] const std::vector<double>& looks_ms() const { return looks_ms_; }
    /// What the looks of speed() saw.
    [[nodiscard]] const std::vector<double>& clocks_mhz() const { return clocks_mhz_; }

  private:
    const StampedMark& next();
    void fetch();
    /// Milliseconds since the last mark, without what marking takes.
    double take(const StampedMark& stamped);

    JobProcess& process_;
    Rehearsal reference_;
    Options options_;
    std::vector<StampedMark> marks_;
    std::size_t at_ = 0;  ///< the next of them
    std::int64_t last_ns_ = 0;
    std::size_t runs_ = 0;
    double seconds_ = 0;
    std::vector<double> looks_ms_, clocks_mhz_;
};

/// Whether marks are those of one stretch: begun, then blocks of runs, each block with a look at
/// its end, none before the one that it follows.
[[nodiscard]] bool is_stretch(const std::vector<StampedMark>& marks, bool prepares);

}  // namespace edgeloop
