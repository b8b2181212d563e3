#pragma once

#include "report/encoder.hpp"

#include "edgeloop/report/run_view.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace edgeloop::report {

using RowsById = std::unordered_map<std::uint64_t, std::size_t>;

/// What the journal says happened, as tables of the page. Of each kind the newest are kept.
class EventTables {
  public:
    /// The references must outlive it.
    /// @param rows  of designs in evaluations.csv.
    EventTables(const RunView& run, Encoder& encoder, const RowsById& rows)
        : run_(run), encoder_(encoder), rows_(rows) {}

    [[nodiscard]] Json trainings();
    [[nodiscard]] Json measurements();
    [[nodiscard]] Json notes();
    /// A row for each epoch: the training's place in trainings(), the epoch, and what was measured
    /// after it, in seven digits.
    /// @param first  rows of designs, those first whose curves matter most.
    [[nodiscard]] Json curves(const std::vector<std::size_t>& first);

  private:
    [[nodiscard]] double since_start(std::int64_t time_ms) const {
        return static_cast<double>(time_ms - run_.history.first_ms);
    }
    /// Row of a design, or one beyond all for one that has none yet.
    [[nodiscard]] double row_of(std::uint64_t id) const;
    /// Columns of what trainings came to, where any of them has it.
    void add_metrics(Json& columns, std::size_t first);

    const RunView& run_;
    Encoder& encoder_;
    const RowsById& rows_;
};

}  // namespace edgeloop::report
