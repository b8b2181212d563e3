#include "search/replay.hpp"

#include "edgeloop/core/error.hpp"

#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

struct Replay {
    void operator()(const Proposed& event) {
        const std::optional<Candidate> asked = engine.ask_again(event.candidate);
        (void)engine.take_decisions();
        if (!asked || asked->id != event.candidate.id || asked->rung != event.candidate.rung ||
            asked->genome != event.candidate.genome)
            throw CorruptState(
                fmt::format("the journal proposes candidate {} and the engine does not",
                            event.candidate.id),
                "the journal belongs to another configuration or another version of edgeloop",
                "resume with the program and the configuration that started the run");
        active[asked->id].kept.candidate = *asked;
    }

    void operator()(const TrainingStarted& event) {
        const auto found = active.find(event.id);
        if (found != active.end()) ++found->second.kept.cut_off;
    }

    void operator()(const PartDone& event) {
        const auto found = active.find(event.outcome.id);
        if (found == active.end()) return;
        found->second.kept.parts[event.part] = event.outcome;
        if (event.part.kind == Part::training) found->second.kept.cut_off = 0;
    }

    void operator()(const Told& event) {
        CompletedCandidate completed = event.completed;
        const auto found = active.find(completed.candidate.id);
        if (found == active.end())
            throw CorruptState(
                fmt::format("the journal ends candidate {} twice", completed.candidate.id));
        // Journals of earlier versions do not have all of the candidate.
        completed.candidate = std::move(found->second.kept.candidate);
        active.erase(found);
        engine.tell(completed);
    }

    void operator()(const Scouted& event) { engine.inform(event); }

    void operator()(const Note& event) {
        const auto found = active.find(event.id);
        if (event.what == resumed_run) engine.forget_scouted();
        if (event.what == retried_training && found != active.end()) found->second.kept.cut_off = 0;
    }

    Engine& engine;
    ActiveCandidates& active;
};

}  // namespace

bool replay(RunStore& store, Engine& engine, ActiveCandidates& active) {
    std::optional<Recovery> recovery = store.recover();
    if (!recovery) return false;
    if (recovery->snapshot) {
        engine.restore(std::move(recovery->snapshot->engine));
        for (auto& [id, kept] : recovery->snapshot->in_flight) active[id].kept = std::move(kept);
    }
    for (const Event& event : recovery->events) std::visit(Replay{engine, active}, event);
    return true;
}

}  // namespace edgeloop
