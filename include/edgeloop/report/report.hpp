#pragma once

#include "edgeloop/report/run_view.hpp"

#include <string>
#include <vector>

namespace edgeloop::report {

struct PageOptions {
    double reload_seconds = 0;  ///< the page reloads itself so often; 0: never
    double real_time_ms = 0.8;  ///< line in the front where it shows latency_ms; 0: none
};

/// One self-contained HTML page about a run: no network, no other file. Texts of the run reach it
/// as data only, compressed and in base64, so none of them can be markup.
/// @param others  runs to compare it with.
[[nodiscard]] std::string page(const RunView& run, const std::vector<RunView>& others,
                               const PageOptions& options);

/// Writes the main figures as SVG, each with a CSV of what it shows: front, progress, importance.
/// @return paths of the files. @throws IoError.
std::vector<std::string> write_figures(const RunView& run, const std::string& folder,
                                       const PageOptions& options);

}  // namespace edgeloop::report
