#pragma once

#include "edgeloop/search/coordinator.hpp"

#include <string>
#include <vector>

namespace edgeloop::apps {

/// One line of progress, e.g.
/// "12/40 designs | best val_rmse 0.0912 | fastest 0.31 ms | hypervolume 0.553 | ETA 1:12 | edge: 1
/// device".
[[nodiscard]] std::string progress_line(const Progress& progress, const Goals& goals);

/// The front as a table for people: id, objectives and the genes in which its designs differ; the
/// others are named once below. The longest fronts are cut.
[[nodiscard]] std::string front_table(const std::vector<ArchiveMember>& front, const Goals& goals,
                                      const SearchSpace& space);

/// How much of the front was confirmed, and what was not. Empty for a run that confirms nothing.
/// @param confirm  trainings of each design.
[[nodiscard]] std::string confirmation_lines(const Progress& progress, std::size_t confirm);

/// How the best error of a front stands to what can be had without a network, and which designs are
/// no better than that, e.g. "best val_rmse 0.0912, 59 % better than without a network (0.2224)".
/// Empty when either is not known.
[[nodiscard]] std::string baseline_lines(const std::vector<ArchiveMember>& front);

/// What one start of a run did and what it cost.
struct StartCosts {
    std::uint64_t done_before = 0;  ///< designs of earlier starts
    double elapsed_s = 0;
    double storing_s = 0;        ///< of that, spent on journal, checkpoints and tables
    double coordinating_s = -1;  ///< processor time of coordinating; negative: not known
};

/// E.g. "12 designs in 0:34 (24 were done in earlier starts); journal, ...".
/// @param done  designs of all starts.
[[nodiscard]] std::string cost_line(std::uint64_t done, const StartCosts& costs);

/// A command that is of use after a run, for a shell.
struct NextStep {
    std::string what;  ///< it does, in a few words
    std::string command;
};

/// What a user does next with a finished run.
/// @param shards  that its networks were trained on; empty: there are none to train.
[[nodiscard]] std::vector<NextStep> next_steps(const std::string& run_dir,
                                               const std::string& shards);

/// Where everything is and what comes next.
/// @param way_on  option that lets the run go on; empty: it is over.
[[nodiscard]] std::string closing_lines(const std::string& run_dir,
                                        const std::vector<NextStep>& steps,
                                        const std::string& way_on);

}  // namespace edgeloop::apps
