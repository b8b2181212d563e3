#pragma once

#include "search/parts.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace edgeloop {

/// E.g. "12 of 40 candidates".
[[nodiscard]] std::string reached(const Progress& progress);

/// Checkpoints, status and tables of a run, each when it is due: every so many seconds, but so
/// rarely that it takes no more than its share of the time.
class Housekeeping {
  public:
    /// The run starts now.
    Housekeeping(const Engine& engine, RunStore& store, const SearchOptions& options,
                 const SearchClock& clock);

    /// The engine has been brought to where an earlier start left off.
    void resumed();
    [[nodiscard]] bool save_is_due() const;
    [[nodiscard]] bool report_is_due() const { return statuses_.due(clock_.pace()); }
    void save(const ActiveCandidates& active);
    /// @param phase   running, stopped or finished.
    /// @param so_far  what the loop knows: running, the costs and the link.
    Progress report(const char* phase, Progress so_far);
    [[nodiscard]] double started() const { return started_; }

  private:
    class Cadence {
      public:
        explicit Cadence(double interval) : interval_(interval) {}
        [[nodiscard]] bool due(double now) const { return now >= next_; }
        void done(double started, double now);

      private:
        double interval_;
        double next_ = 0;
    };

    void add_front(Progress& progress) const;
    [[nodiscard]] std::optional<Effort> effort() const;
    /// By the rate of what the run costs, where that is known; else of designs.
    [[nodiscard]] std::optional<double> eta(const Progress& progress) const;
    void tidy();

    const Engine& engine_;
    RunStore& store_;
    const SearchOptions& options_;
    const SearchClock& clock_;
    Cadence snapshots_, statuses_, tables_;
    double started_;                 ///< by the clock
    double paced_from_;              ///< the same by its pace
    std::uint64_t done_before_ = 0;  ///< candidates done when this process started
    std::uint64_t repeats_before_ = 0;
    double spent_before_ = 0;  ///< of its effort
    std::uint64_t saved_told_ = 0;
    std::uint64_t kept_bytes_ = 0;  ///< of files that candidates still need
};

}  // namespace edgeloop
