#include "edgeloop/store/reuse_cache.hpp"

#include "store/journal.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <filesystem>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

bool same_context(const Json& identity, const char* half, const std::string& now) {
    return !now.empty() && identity.value(half, "") == now;
}

}  // namespace

void ReuseCache::add_run(const std::string& folder, const RunIdentity& now) {
    if (!std::filesystem::exists(folder + "/journal.jsonl"))
        throw ConfigError(fmt::format("there is no run to reuse in '{}'", folder), {},
                          "name a folder given as --run-dir before");
    const Json identity =
        read_json_file(folder + "/provenance.json").value("identity", Json::object());
    const bool trainings = same_context(identity, "training", now.training);
    const bool latencies = same_context(identity, "measuring", now.measuring);
    std::unordered_map<CandidateId, Candidate> candidates;
    for (Event& event : read_journal(folder + "/journal.jsonl").events) {
        if (Proposed* proposed = std::get_if<Proposed>(&event))
            candidates[proposed->candidate.id] = std::move(proposed->candidate);
        HalfDone* done = std::get_if<HalfDone>(&event);
        if (!done || done->outcome.status != Status::completed) continue;
        const Candidate& candidate = candidates[done->outcome.id];
        if (candidate.spec.empty()) continue;
        done->outcome.reason = fmt::format("candidate {} of {}", done->outcome.id, folder);
        done->outcome.seconds = 0;  // it costs this run nothing
        if (done->half == Half::training && trainings)
            trained_.emplace(training_key(candidate), std::move(done->outcome));
        else if (done->half == Half::measuring && latencies)
            measured_.emplace(network_key(candidate), std::move(done->outcome));
    }
}

std::optional<Outcome> ReuseCache::find(Half half, const Candidate& candidate) const {
    if (candidate.spec.empty()) return std::nullopt;
    if (half == Half::measuring) {
        if (measured_.empty()) return std::nullopt;
        const auto found = measured_.find(network_key(candidate));
        return found == measured_.end() ? std::nullopt : std::optional<Outcome>(found->second);
    }
    if (candidate.keep_state) return std::nullopt;
    const auto found = trained_.find(training_key(candidate));
    return found == trained_.end() ? std::nullopt : std::optional<Outcome>(found->second);
}

ReuseCache::TrainingKey ReuseCache::training_key(const Candidate& candidate) {
    return {digest(candidate.spec), candidate.seed, candidate.epochs};
}

Digest ReuseCache::network_key(const Candidate& candidate) {
    return ArchitectureSpec::from_json(Json::parse(candidate.spec), "journal").network_identity();
}

}  // namespace edgeloop
