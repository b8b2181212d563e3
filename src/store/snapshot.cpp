#include "store/snapshot.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/binary_fields.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <utility>

#include <cereal/archives/portable_binary.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/vector.hpp>
#include <fmt/format.h>

namespace edgeloop {

// The payload's format: fields in this order, those of records in theirs. A change needs a new
// version below. The functions are static because messages have another format of some types.

template <class A>
static void serialize(A& archive, Digest& digest) {
    archive(digest.high, digest.low);
}

template <class A>
static void serialize(A& archive, Genome& genome) {
    archive(genome.genes);
}

// Parents came later: see Parents.
template <class A>
static void serialize(A& archive, Candidate& candidate) {
    Candidate::fields(candidate, [&](const char* name, auto& field) {
        if (std::string_view(name) != "parents") archive(field);
    });
}

// The journal has the device, the conditions, the ranks and the curve.
template <class A>
static void serialize(A& archive, Outcome& outcome) {
    archive(outcome.id, outcome.status, outcome.metrics, outcome.reason, outcome.seconds);
}

static std::optional<Outcome> outcome_of(const InFlight& flight, const Part& part) {
    const Outcome* const outcome = flight.part(part);
    return outcome == nullptr ? std::nullopt : std::optional(*outcome);
}

// What was measured on classes that have names follows at the end.
template <class A>
static void save(A& archive, const InFlight& flight) {
    archive(flight.candidate, outcome_of(flight, Part::training),
            outcome_of(flight, Part::measuring), flight.cut_off);
}

template <class A>
static void load(A& archive, InFlight& flight) {
    std::optional<Outcome> training, measured;
    archive(flight.candidate, training, measured, flight.cut_off);
    if (training) flight.parts[Part::training] = std::move(*training);
    if (measured) flight.parts[Part::measuring] = std::move(*measured);
}

template <class A>
static void serialize(A& archive, Individual& individual) {
    archive(individual.id, individual.genome, individual.objectives, individual.violation);
}

template <class A>
static void save(A& archive, const Population& population) {
    std::vector<int> rungs;
    for (const Individual& individual : population.individuals()) rungs.push_back(individual.rung);
    archive(population.individuals(), rungs);
}

template <class A>
static void load(A& archive, Population& population) {
    std::vector<Individual> individuals;
    std::vector<int> rungs;
    archive(individuals, rungs);
    if (individuals.size() != rungs.size())
        throw CorruptState("a population whose members and rungs differ in number");
    for (std::size_t i = 0; i < rungs.size(); ++i) {
        individuals[i].rung = rungs[i];
        population.add(std::move(individuals[i]));
    }
}

template <class A>
static void serialize(A& archive, ArchiveMember& member) {
    archive(member.completed, member.objectives);
}

template <class A>
static void serialize(A& archive, RungEntry& entry) {
    archive(entry.completed, entry.promoted);
}

template <class A>
static void save(A& archive, const Archive& front) {
    archive(front.members());
}

template <class A>
static void load(A& archive, Archive& front) {
    std::vector<ArchiveMember> members;
    archive(members);
    front = Archive(std::move(members));
}

template <class A>
static void serialize(A& archive, EngineState& state) {
    // The parts of all engines are written, those of other engines empty.
    GenerationalState no_generations;
    AsynchronousState no_rungs;
    auto* const generational = std::get_if<GenerationalState>(&state.own);
    auto* const asynchronous = std::get_if<AsynchronousState>(&state.own);
    GenerationalState& own = generational != nullptr ? *generational : no_generations;
    AsynchronousState& other = asynchronous != nullptr ? *asynchronous : no_rungs;
    archive(state.proposed, state.told, state.done, state.by_status, state.generation,
            state.scanned, state.exhausted, state.population, state.archive, state.seen, own.queue,
            state.pending, own.cohort, own.offspring, other.rungs, state.gains, own.settled_front,
            state.best, state.worst, state.reference);
    if (A::is_loading::value && !other.rungs.empty()) state.own = std::move(other);
}

template <class A>
static void serialize(A& archive, ConfirmationState& state) {
    archive(state.queue, state.draws, state.results, state.contenders, state.asked, state.told);
}

template <class A>
static void serialize(A& archive, SurfaceSums::Target& target) {
    archive(target.moments, target.squares);
}

template <class A>
static void serialize(A& archive, SurfaceSums& sums) {
    archive(sums.count, sums.products, sums.targets);
}

template <class A>
static void serialize(A& archive, ModelResult& result) {
    archive(result.id, result.genome, result.rung, result.metrics, result.trainings);
}

template <class A>
static void serialize(A& archive, FittedMetric& fitted) {
    archive(fitted.results, fitted.parameters, fitted.skill);
}

/// With device and conditions, unlike those of candidates: no event of theirs follows in the
/// journal.
struct WholeOutcome {
    Outcome outcome;
};

template <class A>
static void serialize(A& archive, WholeOutcome& whole) {
    archive(whole.outcome, whole.outcome.device, whole.outcome.record);
}

template <class A>
static void serialize(A& archive, ModelState& model) {
    // Of classes that have names it follows at the end.
    std::map<std::vector<double>, WholeOutcome> scouted;
    for (const auto& [genes, measured] : model.scouted)
        if (const auto found = measured.find(""); found != measured.end())
            scouted[genes].outcome = found->second;
    archive(model.results, model.fitted, model.expected, scouted, model.scouts, model.measured,
            model.intervals, model.held);
    if (!A::is_loading::value) return;
    for (auto& [genes, whole] : scouted) model.scouted[genes][""] = std::move(whole.outcome);
}

namespace {

/// What was measured on classes of devices that have names.
struct OfClasses {
    std::map<std::string, std::map<CandidateId, Outcome>> in_flight;
    std::map<std::string, std::map<std::vector<double>, WholeOutcome>> scouted;

    [[nodiscard]] bool empty() const { return in_flight.empty() && scouted.empty(); }
};

OfClasses taken_from(const EngineState& engine, const std::map<CandidateId, InFlight>& in_flight) {
    OfClasses all;
    for (const auto& [id, flight] : in_flight)
        for (const auto& [part, outcome] : flight.parts)
            if (!part.device_class.empty()) all.in_flight[part.device_class][id] = outcome;
    for (const auto& [genes, measured] : engine.model.scouted)
        for (const auto& [device_class, outcome] : measured)
            if (!device_class.empty()) all.scouted[device_class][genes].outcome = outcome;
    return all;
}

void put_back(OfClasses all, SearchState& state) {
    for (auto& [device_class, outcomes] : all.in_flight)
        for (auto& [id, outcome] : outcomes) {
            const auto found = state.in_flight.find(id);
            if (found == state.in_flight.end())
                throw CorruptState(fmt::format("candidate {} is not in flight", id));
            found->second.parts[{Part::measuring, device_class}] = std::move(outcome);
        }
    for (auto& [device_class, outcomes] : all.scouted)
        for (auto& [genes, whole] : outcomes)
            state.engine.model.scouted[genes][device_class] = std::move(whole.outcome);
}

namespace fs = std::filesystem;

/// Of a run that names no class of devices; it has the bytes that it always had.
constexpr std::uint16_t plain_version = 5;
constexpr std::uint16_t version_of_classes = 6;
constexpr std::uint16_t newest_version = 7;  // with parents
constexpr std::uint16_t population_type = 1;
constexpr std::string_view prefix = "population-", suffix = ".ckpt";

// The <n> of "population-<n>.ckpt", or nothing for any other name.
std::optional<std::uint64_t> number_of(std::string_view name) {
    if (name.size() <= prefix.size() + suffix.size() || name.substr(0, prefix.size()) != prefix ||
        name.substr(name.size() - suffix.size()) != suffix)
        return std::nullopt;
    name.remove_prefix(prefix.size());
    name.remove_suffix(suffix.size());
    return number_in<std::uint64_t>(name);
}

using InFlights = std::map<CandidateId, InFlight>;
using Parents = std::map<CandidateId, std::vector<CandidateId>>;

/// All candidates that may be proposed or promoted again.
template <class Visit>
void visit_candidates(EngineState& engine, InFlights& in_flight, const Visit& visit) {
    for (auto& flight : in_flight) visit(flight.second.candidate);
    for (auto& pending : engine.pending) visit(pending.second);
    if (auto* const own = std::get_if<GenerationalState>(&engine.own)) {
        for (Candidate& candidate : own->queue) visit(candidate);
        for (CompletedCandidate& told : own->cohort) visit(told.candidate);
    } else {
        for (auto& rung : std::get<AsynchronousState>(engine.own).rungs)
            for (RungEntry& entry : rung) visit(entry.completed.candidate);
    }
}

Parents parents_of(const EngineState& engine, const InFlights& in_flight) {
    Parents parents;
    visit_candidates(const_cast<EngineState&>(engine), const_cast<InFlights&>(in_flight),
                     [&](const Candidate& candidate) {
                         if (!candidate.parents.empty()) parents[candidate.id] = candidate.parents;
                     });
    return parents;
}

/// Which weights are whose follows from the results of the repeats.
void note_weights(EngineState& state) {
    std::vector<ArchiveMember> front = state.archive.members();
    for (std::vector<ArchiveMember>* members : {&front, &state.confirmation.contenders})
        for (ArchiveMember& member : *members) {
            const auto found = state.confirmation.results.find(member.completed.candidate.id);
            if (found != state.confirmation.results.end()) member.weights = found->second.weights;
        }
    state.archive = Archive(std::move(front));
}

}  // namespace

std::string encode_snapshot(const EngineState& engine,
                            const std::map<CandidateId, InFlight>& in_flight,
                            std::uint64_t events) {
    std::ostringstream payload;
    OfClasses of_classes = taken_from(engine, in_flight);
    const Parents parents = parents_of(engine, in_flight);
    const std::uint16_t written = !parents.empty() || !engine.model.parents.empty() ? newest_version
                                  : of_classes.empty()                              ? plain_version
                                                       : version_of_classes;
    {
        cereal::PortableBinaryOutputArchive archive(payload);
        archive(events, engine, in_flight, engine.surfaces, engine.confirmation, engine.model);
        if (written >= version_of_classes) archive(of_classes.in_flight, of_classes.scouted);
        if (written == newest_version) archive(parents, engine.model.parents);
    }
    return seal({"ELCK", written}, {population_type, events, payload.str()});
}

Snapshot decode_snapshot(std::string_view bytes, const std::string& where) {
    const int written = envelope_version({"ELCK", newest_version}, bytes);
    const bool known = written >= 1 && written <= newest_version;
    const std::uint16_t version = known ? static_cast<std::uint16_t>(written) : newest_version;
    const Envelope envelope = open_envelope({"ELCK", version}, bytes, where);
    Snapshot snapshot;
    try {
        std::istringstream payload(envelope.payload);
        cereal::PortableBinaryInputArchive archive(payload);
        archive(snapshot.events, snapshot.state.engine, snapshot.state.in_flight);
        // Version 1 kept the number of losses in its place, which was not used again.
        for (auto& each : snapshot.state.in_flight)
            if (version == 1) each.second.cut_off = 0;
        if (version > 2) archive(snapshot.state.engine.surfaces);
        if (version > 3) archive(snapshot.state.engine.confirmation);
        if (version > 4) archive(snapshot.state.engine.model);
        if (version >= version_of_classes) {
            OfClasses of_classes;
            archive(of_classes.in_flight, of_classes.scouted);
            put_back(std::move(of_classes), snapshot.state);
        }
        Parents parents;
        if (version == newest_version) archive(parents, snapshot.state.engine.model.parents);
        visit_candidates(snapshot.state.engine, snapshot.state.in_flight,
                         [&](Candidate& candidate) {
                             const auto found = parents.find(candidate.id);
                             if (found != parents.end()) candidate.parents = found->second;
                         });
        note_weights(snapshot.state.engine);
        if (payload.peek() != std::istringstream::traits_type::eof())
            throw CorruptState(fmt::format("{}: bytes are left over", where));
    } catch (const cereal::Exception& error) {
        throw CorruptState(fmt::format("{}: {}", where, error.what()));
    } catch (const ConfigError& error) {
        throw CorruptState(fmt::format("{}: {}", where, error.problem()), error.why());
    } catch (const std::bad_alloc&) {
        throw CorruptState(fmt::format("{}: a length beyond all memory", where));
    } catch (const std::length_error&) {
        throw CorruptState(fmt::format("{}: an impossible length", where));
    }
    return snapshot;
}

SnapshotFolder::SnapshotFolder(std::string path, std::size_t kept, Access access)
    : path_(std::move(path)), kept_(std::max<std::size_t>(kept, 1)), access_(access) {}

void SnapshotFolder::write(const std::string& bytes) {
    std::vector<std::uint64_t> existing = numbers();
    const std::uint64_t next = existing.empty() ? 1 : existing.back() + 1;
    write_file_atomic(file(next), bytes, Durability::power_cut, access_);
    existing.push_back(next);
    for (std::size_t i = 0; i + kept_ < existing.size(); ++i) {
        std::error_code ignored;  // an old file that stays does no harm
        fs::remove(file(existing[i]), ignored);
    }
}

std::optional<Snapshot> SnapshotFolder::newest() const {
    std::vector<std::uint64_t> existing = numbers();
    std::string last_problem;
    while (!existing.empty()) {
        const std::string path = file(existing.back());
        existing.pop_back();
        try {
            return decode_snapshot(read_file(path), path);
        } catch (const CorruptState& error) {
            last_problem = error.what();
            log::warning("{}; falling back to an older checkpoint", last_problem);
        }
    }
    if (last_problem.empty()) return std::nullopt;
    throw CorruptState(fmt::format("no checkpoint in '{}' can be read", path_), last_problem,
                       "restore the folder from a copy or start a new run");
}

std::vector<std::uint64_t> SnapshotFolder::numbers() const {
    std::vector<std::uint64_t> numbers;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path_, error))
        if (const auto number = number_of(entry.path().filename().string()))
            numbers.push_back(*number);
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

std::string SnapshotFolder::file(std::uint64_t number) const {
    return fmt::format("{}/{}{}{}", path_, prefix, number, suffix);
}

}  // namespace edgeloop
