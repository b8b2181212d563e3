#pragma once

#include "search/parts.hpp"

#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/search/engine.hpp"
#include "edgeloop/search/run_store.hpp"

#include <cstdint>
#include <map>

namespace edgeloop {

/// Designs that are measured before it is decided whether they are trained: Engine::scout().
class Scouts {
  public:
    /// @param probe  null: nothing is measured.
    /// @param ahead  designs for each that is evaluated; 0: none.
    Scouts(Engine& engine, LatencyProbe* probe, RunStore& store, const PartRules& rules, int ahead)
        : engine_(engine), probe_(probe), store_(store), rules_(rules), ahead_(ahead) {}

    [[nodiscard]] bool on() const { return probe_ != nullptr && ahead_ > 0; }
    /// Gives devices that have nothing else to do designs that may be trained later.
    /// @return whether one was given.
    bool send(const ActiveCandidates& active);
    /// What was measured of one; others are ignored.
    void take(Outcome outcome);
    /// They are no longer waited for.
    void forget();

  private:
    Engine& engine_;
    LatencyProbe* probe_;
    RunStore& store_;
    const PartRules& rules_;
    int ahead_;
    std::map<CandidateId, Candidate> under_way_;
    std::uint64_t lost_ = 0;
};

}  // namespace edgeloop
