#include "edgeloop/table/outcomes.hpp"

#include <optional>

namespace edgeloop {
namespace {

/// Values of one source in a row.
Metrics metrics_of(const DesignTable& table, std::size_t row, Source source, int epochs) {
    Metrics metrics;
    for (const TableMetric& metric : table.metrics()) {
        if (metric.source != source) continue;
        if (const auto column = metric.column(epochs))
            metrics[metric.name] = table.value(row, *column);
    }
    return metrics;
}

Outcome outcome_of(const DesignTable& table, const Candidate& candidate, Source source) {
    const std::optional<std::size_t> row = table.find(candidate.genome);
    if (!row) return {candidate.id, Status::infeasible, {}, "this design is not in the table"};
    return {candidate.id, Status::completed, metrics_of(table, *row, source, candidate.epochs)};
}

}  // namespace

Outcome trained_by(const DesignTable& table, const Candidate& candidate) {
    return outcome_of(table, candidate, Source::training);
}

Outcome measured_by(const DesignTable& table, const Candidate& candidate) {
    return outcome_of(table, candidate, Source::measuring);
}

Metrics counted_by(const DesignTable& table, const Candidate& candidate) {
    const std::optional<std::size_t> row = table.find(candidate.genome);
    return row ? metrics_of(table, *row, Source::design, candidate.epochs) : Metrics();
}

double training_seconds_by(const DesignTable& table, const Candidate& candidate) {
    const int epochs = candidate.epochs > 0 ? candidate.epochs : 1;
    const auto column = table.epoch_seconds();
    const std::optional<std::size_t> row = column ? table.find(candidate.genome) : std::nullopt;
    return (row ? table.value(*row, *column) : 1.0) * (epochs - candidate.trained_epochs);
}

}  // namespace edgeloop
