#pragma once

#include "search/device_classes.hpp"
#include "search/parts.hpp"

#include "edgeloop/evaluation/interfaces.hpp"
#include "edgeloop/search/engine.hpp"
#include "edgeloop/search/run_store.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace edgeloop {

/// Designs that are measured before it is decided whether they are trained: Engine::scout().
class Scouts {
  public:
    /// @param ahead  designs for each that is evaluated; 0: none.
    Scouts(Engine& engine, const DeviceClasses& devices, RunStore& store, const PartRules& rules,
           int ahead)
        : engine_(engine), devices_(devices), store_(store), rules_(rules), ahead_(ahead) {}

    [[nodiscard]] bool on() const { return !devices_.probes().empty() && ahead_ > 0; }
    /// Gives designs that may be trained later to all classes, while each has a device with nothing
    /// else to do.
    /// @return whether one was given.
    bool send(const ActiveCandidates& active);
    /// What devices of a class measured of one; others are ignored.
    void take(const std::string& device_class, Outcome outcome);
    /// They are no longer waited for.
    void forget();

  private:
    struct Scout {
        Candidate candidate;
        std::set<std::string> classes;  ///< that have not answered
    };

    [[nodiscard]] bool each_has_a_device() const;
    [[nodiscard]] bool each_has_nothing_to_do(const ActiveCandidates& active) const;
    /// Measurements that have not come.
    [[nodiscard]] std::uint64_t open() const;

    Engine& engine_;
    const DeviceClasses& devices_;
    RunStore& store_;
    const PartRules& rules_;
    int ahead_;
    std::map<CandidateId, Scout> under_way_;
    std::uint64_t lost_ = 0;
};

}  // namespace edgeloop
