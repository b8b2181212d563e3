#pragma once

#include "edgeloop/search/coordinator.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {

/// A candidate in flight, with what only this process knows about it.
struct Active {
    /// On one class of devices.
    struct Measuring {
        bool under_way = false;  ///< submitted and not back yet
        int again = 0;           ///< because it was not valid
        double seconds = 0;      ///< of the measurements that were not the last
    };

    InFlight kept;
    bool training = false;                       ///< submitted and not back yet
    bool begun = false;                          ///< its training, which it may have to wait for
    bool cancelled = false;                      ///< its training was asked to stop
    int lost = 0;                                ///< how often a part of it was lost
    std::map<std::string, Measuring> measuring;  ///< by class
    std::optional<Verdict> verdict;              ///< why the rest of it is pointless

    [[nodiscard]] bool measures_on(const std::string& device_class) const {
        const auto found = measuring.find(device_class);
        return found != measuring.end() && found->second.under_way;
    }
};
using ActiveCandidates = std::map<CandidateId, Active>;

/// How the parts of a candidate make a whole. The order in which they arrive makes no difference: a
/// verdict on what was measured outweighs whatever the training said, and what competes with others
/// is judged when all classes of devices have answered.
class PartRules {
  public:
    /// @param classes  that measure; one without a name in a run that names none.
    PartRules(const Engine& engine, const SearchOptions& options, std::vector<std::string> classes)
        : engine_(engine), options_(options), classes_(std::move(classes)) {}

    [[nodiscard]] const std::vector<std::string>& classes() const { return classes_; }

    /// Whether this part of it is not there for good: never came, or was lost. On a higher rung,
    /// and of a repeat, the latency is among what is known already.
    [[nodiscard]] bool needs(const Active& active, const Part& part) const;
    [[nodiscard]] bool needs_measuring(const Active& active) const;
    /// The outcome of a training, failed if it delivered what no training does.
    [[nodiscard]] Outcome checked(Outcome trained) const;
    /// What a measurement that completed should have delivered, or nothing.
    [[nodiscard]] std::optional<std::string> incomplete(const Outcome& measured,
                                                        const std::string& device_class) const;
    /// What is not valid or not complete this run measures itself.
    [[nodiscard]] bool usable(const Outcome& measured, const std::string& device_class) const {
        return measured_validly(measured.metrics) && !incomplete(measured, device_class);
    }
    /// Why the rest of the training can be spared, once what is measured is known; or nothing.
    [[nodiscard]] std::optional<Verdict> early_end(const Active& active) const;
    /// The end of a candidate that needs nothing more, all but the candidate itself; or nothing.
    [[nodiscard]] std::optional<CompletedCandidate> whole(const Active& active) const;

  private:
    /// Whether some classes have answered and others have not.
    [[nodiscard]] bool partly_measured(const Active& active) const;
    [[nodiscard]] Metrics settled(const Active& active) const;
    void judge(const Outcome& training, int rung, CompletedCandidate& completed) const;

    const Engine& engine_;
    const SearchOptions& options_;
    std::vector<std::string> classes_;
};

/// Adds a part that has come, and notes it.
void add_part(Active& active, const Part& part, Outcome outcome, RunStore& store);
/// The same for all that was found out before: of a design that was scouted, or by earlier runs.
void take_earlier_results(Active& active, const PartRules& rules, const Engine& engine,
                          const SearchOptions& options, RunStore& store);

}  // namespace edgeloop
