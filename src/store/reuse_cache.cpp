#include "edgeloop/store/reuse_cache.hpp"

#include "store/conditions_table.hpp"
#include "store/journal.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/search/seed_designs.hpp"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;
using Values = RunConditions::Values;

// Why results of these conditions are of no use now; empty: they are. What an old run does not
// tell does not count against it, but `least` it must tell.
std::string other_conditions(const Values& before, const Values& now, const char* least) {
    if (now.count(least) == 0) return "of a kind that is not reused";
    if (before.count(least) == 0) return "whose conditions are not known";
    const std::vector<std::string> changed = differences(before, now);
    return changed.empty() ? "" : fmt::format("made with {}", fmt::join(changed, ", "));
}

}  // namespace

/// Goes through the journal of one run.
class ReuseCache::Reader {
  public:
    Reader(ReuseCache& cache, const std::string& folder, const RunConditions& earlier)
        : cache_(cache),
          folder_(folder),
          table_(fs::exists(folder + "/conditions.json")
                     ? ConditionsTable::read(folder + "/conditions.json", earlier)
                     : ConditionsTable(earlier, {})) {
        change_conditions(1);
    }

    ReuseCount read() {
        for (Event& event : read_journal(folder_ + "/journal.jsonl", true).events) take(event);
        for (auto& [id, training] : trainings_) keep_training(id, training);
        return std::move(count_);
    }

  private:
    struct Training {
        Candidate candidate;
        Outcome outcome;
    };

    void take(Event& event) {
        if (const Note* note = std::get_if<Note>(&event))
            if (const auto number = conditions_in(*note)) change_conditions(*number);
        if (Proposed* proposed = std::get_if<Proposed>(&event))
            candidates_[proposed->candidate.id] = std::move(proposed->candidate);
        if (const TrainingStarted* started = std::get_if<TrainingStarted>(&event))
            if (!training_differs_.empty()) tainted_[started->id] = training_differs_;
        PartDone* done = std::get_if<PartDone>(&event);
        if (!done || done->outcome.status != Status::completed) return;
        const Candidate& candidate = candidates_[done->outcome.id];
        if (!candidate.design) return;
        done->outcome.reason = fmt::format("candidate {} of {}", done->outcome.id, folder_);
        done->outcome.seconds = 0;  // it costs this run nothing
        done->outcome.device = printable(done->outcome.device);
        if (done->part.kind == Part::measuring)
            return keep_latency(candidate, done->part.device_class, done->outcome);
        if (!training_differs_.empty()) tainted_[done->outcome.id] = training_differs_;
        if (repeat_of(done->outcome.id) > 0) {
            CandidateId& shown =
                shown_.emplace(design_of(done->outcome.id), done->outcome.id).first->second;
            shown = std::min(shown, done->outcome.id);
        }
        // On a ladder each candidate trains several times; the weights belong to the last.
        trainings_[done->outcome.id].push_back({candidate, std::move(done->outcome)});
    }

    void change_conditions(int number) {
        const ConditionsTable::Entry& before = table_.at(number);
        const RunConditions& now = cache_.options_.conditions;
        training_differs_ = other_conditions(before.training, now.training, "data");
        measuring_differs_ = other_conditions(before.measuring, now.measuring, "edge");
        if (!cache_.options_.latencies)
            measuring_differs_ = "measured on a device that no --device-class names";
    }

    void leave_out(const char* what, const std::string& why) {
        ++count_.left_out[fmt::format("{} {}", what, why)];
    }

    void keep_latency(const Candidate& candidate, const std::string& device_class,
                      Outcome& outcome) {
        std::string why = measuring_differs_;
        if (why.empty() && !genome(candidate)) why = "of designs outside this space";
        const ClassMetrics& wanted = cache_.options_.measured;
        const auto asked = wanted.find(device_class);
        if (why.empty() && asked == wanted.end() && !wanted.empty())
            why = "on a class of devices that this run does not ask";
        // A device that had no meter then may have one now; and another run may have it all.
        if (asked != wanted.end())
            for (const std::string& metric : asked->second)
                if (why.empty() && outcome.metrics.count(metric) == 0) why = "without " + metric;
        if (why.empty()) why = impossible(outcome, Source::measuring);
        if (!why.empty()) return leave_out("latencies", why);
        cache_.measured_.emplace(std::pair(device_class, candidate.design->network_identity()),
                                 std::move(outcome));
        ++count_.latencies;
    }

    void keep_training(CandidateId id, std::vector<Training>& trainings) {
        for (Training& training : trainings) {
            const bool last = &training == &trainings.back();
            const std::string weights = last ? weights_file(id) : std::string();
            const auto tainted = tainted_.find(id);
            std::string why =
                tainted != tainted_.end() ? tainted->second : why_not(training.candidate);
            if (why.empty() && cache_.options_.weights && weights.empty())
                why = "whose weights were not kept";
            if (why.empty()) why = impossible(training.outcome, Source::training);
            const TrainingKey key = training_key(training.candidate);
            if (!why.empty()) {
                leave_out("trainings", why);
                continue;
            }
            ++count_.trainings;
            const bool first = cache_.trained_.emplace(key, std::move(training.outcome)).second;
            if (first && !weights.empty()) cache_.weights_.emplace(key, weights);
        }
    }

    /// Why an outcome is none that such a part has; empty: it may be. The journal may be anybody's.
    [[nodiscard]] std::string impossible(const Outcome& outcome, Source part) {
        const auto why = refusal(outcome.metrics, part, &cache_.options_.members);
        if (!why) return {};
        std::string& said = impossible_[part];  // one reason for all of them, to be counted by
        if (said.empty()) said = "that cannot be, e.g. " + *why;
        return said;
    }

    /// Why this run will never ask for such a training; empty: it may.
    [[nodiscard]] std::string why_not(const Candidate& candidate) const {
        const EngineSettings& engine = cache_.options_.engine;
        const std::optional<Genome> found = genome(candidate);
        if (!found) return "of designs outside this space";
        const ArchitectureSpec spec = cache_.options_.space->decode(*found);
        const int budget = !engine.ladder.epochs.empty() ? engine.ladder.epochs.back()
                           : engine.epochs > 0           ? engine.epochs
                                                         : spec.training.epochs;
        if (candidate.epochs != budget)
            return fmt::format("of {} epochs instead of {}", candidate.epochs, budget);
        if (spec.identity() != candidate.design->identity()) return "with another training recipe";
        const std::uint32_t repeat = repeat_of(candidate.id);
        const Digest design = cache_.options_.space->identity(*found);
        if (candidate.seed != training_seed(engine.seed, design, repeat))
            return "with another --seed";
        if (repeat > engine.confirm) return "that confirm designs (--confirm)";
        return {};
    }

    [[nodiscard]] std::optional<Genome> genome(const Candidate& candidate) const {
        try {
            return genome_of(*cache_.options_.space, candidate.design->spec(), "journal");
        } catch (const ConfigError&) {
            return std::nullopt;
        }
    }

    /// Of a training. Those of a model are its first repeat's that completed, if it has any.
    [[nodiscard]] std::string weights_file(CandidateId id) const {
        const std::string own = fmt::format("{}/weights/{}.safetensors", folder_, id);
        if (fs::exists(own)) return own;
        const auto shown = shown_.find(design_of(id));
        const std::string model =
            fmt::format("{}/models/{}/weights.safetensors", folder_, design_of(id));
        return (shown == shown_.end() ? design_of(id) : shown->second) == id && fs::exists(model)
                   ? model
                   : std::string();
    }

    ReuseCache& cache_;
    const std::string& folder_;
    ConditionsTable table_;
    std::string training_differs_, measuring_differs_;  ///< now; empty: they are this run's
    std::unordered_map<CandidateId, Candidate> candidates_;
    std::map<CandidateId, std::vector<Training>> trainings_;
    std::map<CandidateId, CandidateId> shown_;    ///< the repeat whose weights models/ has
    std::map<CandidateId, std::string> tainted_;  ///< trained under other conditions, if in part
    std::map<Source, std::string> impossible_;    ///< by part: why the first of them cannot be
    ReuseCount count_;
};

std::string ReuseCount::text(const std::string& folder) const {
    std::string text = fmt::format("{}: {} trainings and {} latencies can be reused", folder,
                                   trainings, latencies);
    for (const auto& [why, count] : left_out) text += fmt::format("; not {} {}", count, why);
    return text;
}

ReuseCount ReuseCache::add_run(const std::string& folder, const RunConditions& earlier) {
    if (!fs::exists(folder + "/journal.jsonl"))
        throw ConfigError(fmt::format("there is no run to reuse in '{}'", folder), {},
                          "name a folder given as --run-dir before");
    return Reader(*this, folder, earlier).read();
}

std::optional<Outcome> ReuseCache::find(const Part& part, const Candidate& candidate) const {
    if (!candidate.design) return std::nullopt;
    const auto found_in = [](const auto& results, const auto& key) -> std::optional<Outcome> {
        const auto found = results.find(key);
        if (found == results.end()) return std::nullopt;
        return found->second;
    };
    if (part.kind == Part::measuring)
        return found_in(measured_,
                        std::pair(part.device_class, candidate.design->network_identity()));
    if (candidate.keep_state) return std::nullopt;
    return found_in(trained_, training_key(candidate));
}

std::string ReuseCache::weights_of(const Candidate& candidate) const {
    if (!candidate.design) return {};
    const auto found = weights_.find(training_key(candidate));
    return found == weights_.end() ? std::string() : found->second;
}

ReuseCache::TrainingKey ReuseCache::training_key(const Candidate& candidate) {
    return {candidate.design->identity(), candidate.seed, candidate.epochs};
}

}  // namespace edgeloop
