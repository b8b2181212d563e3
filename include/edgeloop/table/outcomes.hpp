#pragma once

#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/table/design_table.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace edgeloop {

/// What the table says that training a candidate for its epochs gives. A design that it does not
/// have is infeasible. Metrics without a column for these epochs are left out.
[[nodiscard]] Outcome trained_by(const DesignTable& table, const Candidate& candidate);
/// The same of measuring it.
[[nodiscard]] Outcome measured_by(const DesignTable& table, const Candidate& candidate);
/// What it says without evaluation; nothing about a design that it does not have.
[[nodiscard]] Metrics counted_by(const DesignTable& table, const Candidate& candidate);

/// Seconds that the rest of a candidate's training takes: those of each epoch as the table says, or
/// else 1. A candidate whose epochs nobody says trains for one.
[[nodiscard]] double training_seconds_by(const DesignTable& table, const Candidate& candidate);

/// The edge device of a table: answers at once.
class TableProbe : public LatencyProbe {
  public:
    explicit TableProbe(std::shared_ptr<const DesignTable> table) : table_(std::move(table)) {}

    void submit(const Candidate& candidate) override {
        done_.push_back(measured_by(*table_, candidate));
    }
    void cancel(CandidateId) override {}
    [[nodiscard]] std::vector<Outcome> poll() override { return std::exchange(done_, {}); }
    [[nodiscard]] bool computes() const override { return true; }
    [[nodiscard]] LinkState link() const override { return {"table", true, 0}; }

  private:
    std::shared_ptr<const DesignTable> table_;
    std::vector<Outcome> done_;
};

}  // namespace edgeloop
