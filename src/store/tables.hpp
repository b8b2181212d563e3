#pragma once

#include "edgeloop/core/json.hpp"
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
    /// Who measured which candidate; a column `device` says so where it is known of any.
    std::map<CandidateId, std::string> devices = {};
};

/// pareto.csv: id, objectives, genes, other metrics, conditions ("1+2": begun under 1, ended
/// under 2), device; in the order given. Metrics named *_seconds
/// are left out, so that equal runs give equal bytes.
[[nodiscard]] std::string pareto_table(const TableLayout& layout,
                                       const std::vector<ArchiveMember>& front);

/// evaluations.csv: id, status, the columns of pareto.csv, then generation, epochs, costs and the
/// reason; in the order given.
[[nodiscard]] std::string evaluations_table(const TableLayout& layout,
                                            const std::vector<const CompletedCandidate*>& rows);

/// status.json.
[[nodiscard]] Json status_json(const Progress& progress);

/// First line of progress.csv.
[[nodiscard]] std::string progress_header(const TableLayout& layout);

/// A line of progress.csv: time, candidates done, members of the front, its hypervolume (empty
/// until the reference point is fixed), smallest value of each objective on it.
[[nodiscard]] std::string progress_row(const TableLayout& layout, const Progress& progress,
                                       std::int64_t time_ms);

}  // namespace edgeloop
