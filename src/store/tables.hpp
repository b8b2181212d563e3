#pragma once

#include "edgeloop/search/run_store.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace edgeloop {

/// Which columns the tables of a run have and how a design is written.
struct TableLayout {
    const SearchSpace* space = nullptr;
    std::vector<std::string> objectives;
    /// Numbers in conditions.json under which a candidate was trained and measured.
    std::map<CandidateId, std::vector<int>> conditions = {};
    /// Who measured which candidate, by class of device; a column `device`, or `device@CLASS`, says
    /// so where it is known of any.
    std::map<std::string, std::map<CandidateId, std::string>> devices = {};
};

// The files that src/store/README.md describes; rows in the order given. Metrics that are costs are
// left out, so that equal runs give equal bytes.
[[nodiscard]] std::string pareto_table(const TableLayout& layout,
                                       const std::vector<ArchiveMember>& front);
[[nodiscard]] std::string evaluations_table(const TableLayout& layout,
                                            const std::vector<const CompletedCandidate*>& rows);
/// Of progress.csv the first line, and one of the others.
[[nodiscard]] std::string progress_header(const TableLayout& layout);
[[nodiscard]] std::string progress_row(const TableLayout& layout, const Progress& progress,
                                       std::int64_t time_ms);

}  // namespace edgeloop
