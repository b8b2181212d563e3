#pragma once

#include "edgeloop/search/run_store.hpp"

namespace edgeloop {

/// Another store, and how long keeping the run took in it: what checkpoints cost.
class TimedStore : public RunStore {
  public:
    explicit TimedStore(RunStore& store) : store_(store) {}

    [[nodiscard]] std::optional<Recovery> recover() override;
    void record(const Event& event) override;
    void commit() override;
    void snapshot(const EngineState& engine,
                  const std::map<CandidateId, InFlight>& in_flight) override;
    void publish(const Progress& progress, const std::vector<ArchiveMember>& front,
                 bool tables) override;

    /// Seconds in all calls but recover().
    [[nodiscard]] double seconds() const { return seconds_; }
    /// Whether an earlier start left something behind; known after recover().
    [[nodiscard]] bool recovered() const { return recovered_; }

  private:
    template <class Call>
    void timed(const Call& call);

    RunStore& store_;
    double seconds_ = 0;
    bool recovered_ = false;
};

}  // namespace edgeloop
