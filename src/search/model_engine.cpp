#include "search/model_engine.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/surrogate/improvement.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <set>
#include <utility>

namespace edgeloop {
namespace {

constexpr std::uint64_t fewest_designs = 8;  ///< sampled before the model is asked

/// Results that went on to the next rung.
std::uint64_t promoted_from(const std::vector<RungEntry>& entries) {
    return static_cast<std::uint64_t>(std::count_if(
        entries.begin(), entries.end(), [](const RungEntry& entry) { return entry.promoted; }));
}

/// A belief about one metric of an option: what is known of it, or what the model says.
Belief belief_of(const std::string& name, const Metrics& known,
                 const std::vector<std::string>& learnt, const std::vector<Belief>& beliefs) {
    if (const auto found = known.find(name); found != known.end())
        return Belief::known(found->second);
    const auto place = std::find(learnt.begin(), learnt.end(), name);
    EDGELOOP_EXPECT(place != learnt.end(), "nothing is believed of " + name);
    return beliefs[static_cast<std::size_t>(place - learnt.begin())];
}

}  // namespace

std::uint64_t ModelEngine::first_designs() const {
    const std::uint64_t genes = space().variables().size();
    const std::uint64_t sampled =
        std::min<std::uint64_t>(settings_.population, std::max(fewest_designs, genes));
    return std::max<std::uint64_t>(sampled, settings_.first.size());
}

std::uint64_t ModelEngine::places_above(std::size_t rung) const {
    if (settings_.evaluations == no_limit) return no_limit;
    const double share = std::pow(settings_.ladder.reduction, static_cast<double>(rung) + 1);
    return static_cast<std::uint64_t>(
        std::ceil(static_cast<double>(settings_.evaluations) / share));
}

bool ModelEngine::may_promote_from(std::size_t rung) const {
    const std::vector<RungEntry>& entries = rungs()[rung];
    return promoted_from(entries) < places_above(rung) &&
           affords(step_above(static_cast<int>(rung)));
}

bool ModelEngine::owes_promotion(std::size_t rung) const {
    const std::vector<RungEntry>& entries = rungs()[rung];
    const double due = static_cast<double>(entries.size()) /
                       (settings_.ladder.reduction * settings_.ladder.reduction);
    return static_cast<double>(promoted_from(entries)) + 1 <= due && may_promote_from(rung);
}

bool ModelEngine::may_promote(const RungEntry& entry) const {
    return !entry.promoted && !outclassed(entry.completed);
}

bool ModelEngine::promotes() const {
    for (std::size_t rung = 0; rung < rungs().size(); ++rung)
        if (may_promote_from(rung) &&
            std::any_of(rungs()[rung].begin(), rungs()[rung].end(),
                        [this](const RungEntry& entry) { return may_promote(entry); }))
            return true;
    return false;
}

std::vector<std::string> ModelEngine::learnt_metrics() const {
    std::set<std::string> names;
    for (const std::string& name : settings_.goals.wanted()) names.insert(name);
    for (const auto& known : proposer_.static_metrics(state_.model.results.front().genome))
        names.erase(known.first);
    return {names.begin(), names.end()};
}

void ModelEngine::absorb(const CompletedCandidate& completed) {
    check_expected(completed);
    state_.model.scouted.erase(completed.candidate.genome.genes);
    state_.model.parents.erase(completed.candidate.genome.genes);
    if (completed.candidate.rung == 0)
        for (const auto& settled : completed.settled)
            if (completed.candidate.known.count(settled.first) == 0)
                state_.model.measured.insert(settled.first);
    ModelResult result{
        completed.candidate.id, completed.candidate.genome, completed.candidate.rung, {}, 1};
    const std::vector<std::string> wanted = settings_.goals.wanted();
    if (completed.status == Status::completed || completed.status == Status::infeasible)
        for (const auto& [name, value] : completed.metrics)
            if (std::find(wanted.begin(), wanted.end(), name) != wanted.end() &&
                std::isfinite(value) && (result.rung == 0 || completed.settled.count(name) == 0))
                result.metrics[name] = value;
    if (!result.metrics.empty()) state_.model.results.push_back(std::move(result));
    if (state_.model.results.size() >= first_designs())
        DesignModel(space(), learnt_metrics(), settings_.goals.objectives)
            .fit(state_.model.results, state_.model.fitted);
    AsynchronousEngine::absorb(completed);
}

Metrics ModelEngine::known_of(const Candidate& candidate) const {
    Metrics known = candidate.known;
    add_measured(known, measured_before(candidate.genome));
    return known;
}

std::vector<ModelResult> ModelEngine::results_under_way() const {
    std::vector<ModelResult> believed;
    for (const auto& [id, candidate] : state_.pending)
        if (repeat_of(id) == 0)
            believed.push_back({id, candidate.genome, candidate.rung, known_of(candidate), 1});
    return believed;
}

std::unique_ptr<DesignModel> ModelEngine::informed_model() const {
    if (state_.reference.empty() || state_.model.results.empty()) return nullptr;
    auto model =
        std::make_unique<DesignModel>(space(), learnt_metrics(), settings_.goals.objectives);
    for (const std::string& name : model->metrics()) {
        const auto fitted = state_.model.fitted.find(name);
        if (fitted == state_.model.fitted.end() || fitted->second.skill <= 0) return nullptr;
    }
    if (!model->learn(state_.model.results, state_.model.fitted)) return nullptr;
    model->believe(results_under_way());
    return model;
}

std::optional<Candidate> ModelEngine::next() {
    if (auto candidate = next_design()) return candidate;
    return first_repeat();
}

std::optional<Candidate> ModelEngine::next_design() {
    if (spent() && !promotes()) return std::nullopt;
    if (state_.proposed < first_designs() && !spent())
        if (auto candidate = fresh()) return candidate;
    if (const std::unique_ptr<DesignModel> model = informed_model())
        if (auto candidate = next_by_model(*model)) return candidate;
    return next_by_rank();
}

std::optional<Candidate> ModelEngine::next_by_model(const DesignModel& model) {
    RandomStream random = stream("model", static_cast<std::uint32_t>(state_.told), state_.proposed);
    std::vector<Option> all = options(random);
    evaluate(all, model);
    std::stable_sort(all.begin(), all.end(),
                     [](const Option& a, const Option& b) { return a.value > b.value; });
    // As long as each new design is better than all before, none would ever be promoted.
    int owed = 0;
    for (std::size_t rung = 0; rung < rungs().size(); ++rung)
        if (owes_promotion(rung)) owed = static_cast<int>(rung) + 1;
    const auto waits_there = [&](const Option& option) {
        return option.entry != nullptr && option.entry->completed.candidate.rung + 1 == owed;
    };
    if (owed > 0) std::stable_partition(all.begin(), all.end(), waits_there);
    for (const Option& option : all) {
        std::optional<Candidate> candidate;
        if (option.entry != nullptr) {
            candidate = promote(*option.entry, "by expected improvement");
        } else if (!spent() && proposer_.usable(option.genome, state_)) {
            chosen_ = {option.genome, option.parents};
            candidate = fresh();
            chosen_.reset();
        }
        if (!candidate) continue;
        expect(*candidate, option, model);
        return candidate;
    }
    return std::nullopt;
}

std::optional<Candidate> ModelEngine::next_by_rank() {
    if (RungEntry* const entry = best_by_rank(true)) return promote(*entry, "by rank and crowding");
    if (auto candidate = fresh()) return candidate;
    // Nothing new is to be had, so that all places may be given away.
    RungEntry* const entry = best_by_rank(false);
    return entry != nullptr ? std::optional(promote(*entry, "by rank and crowding")) : std::nullopt;
}

RungEntry* ModelEngine::best_by_rank(bool within_places) {
    for (std::size_t rung = rungs().size(); rung-- > 0;) {
        std::vector<RungEntry>& entries = rungs()[rung];
        const double places = static_cast<double>(entries.size()) / settings_.ladder.reduction;
        if (!may_promote_from(rung)) continue;
        if (within_places && static_cast<double>(promoted_from(entries)) + 1 > places) continue;
        std::vector<Individual> individuals;
        for (const RungEntry& entry : entries)
            individuals.push_back(*as_individual(entry.completed));
        for (const std::size_t i : select_survivors(individuals, individuals.size()))
            if (may_promote(entries[i])) return &entries[i];
    }
    return nullptr;
}

std::optional<Candidate> ModelEngine::create(std::uint64_t number) {
    if (!chosen_) return AsynchronousEngine::create(number);
    RandomStream random = stream("chosen", 0, number);
    return proposer_.propose(*chosen_, random, state_);
}

void ModelEngine::restored() {
    scouts_.clear();
    nothing_scouted_ = 0;
    AsynchronousEngine::restored();
}

Points ModelEngine::believed_front(const DesignModel& model) const {
    Points front = state_.archive.points();
    std::vector<const Genome*> designs;
    std::vector<const Metrics*> known;
    std::deque<Metrics> measured;
    // One noisy result says less than the model makes of it together with all others.
    if (!settings_.analytic) {
        front.clear();
        for (const ArchiveMember& member : state_.archive.members()) {
            const CandidateId id = member.completed.candidate.id;
            if (state_.confirmation.results.count(id) > 0) {
                front.push_back(member.objectives);
                continue;
            }
            designs.push_back(&member.completed.candidate.genome);
            known.push_back(&member.completed.settled);
        }
    }
    for (const auto& [id, candidate] : state_.pending) {
        if (repeat_of(id) > 0) continue;
        Metrics known_of_it = known_of(candidate);
        if (!all_foreseen(settings_.goals.wanted(), known_of_it, model.metrics())) continue;
        designs.push_back(&candidate.genome);
        measured.push_back(std::move(known_of_it));
        known.push_back(&measured.back());
    }
    if (designs.empty()) return front;
    const std::vector<std::vector<Belief>> beliefs = model.predict(designs);
    for (std::size_t i = 0; i < designs.size(); ++i) {
        Point point;
        for (const std::string& name : settings_.goals.objectives)
            point.push_back(belief_of(name, *known[i], model.metrics(), beliefs[i]).median());
        front.push_back(std::move(point));
    }
    return front;
}

double ModelEngine::chance_to_keep_constraints(const Option& option,
                                               const std::vector<std::string>& names) const {
    double chance = 1;
    for (const Constraint& constraint : settings_.goals.constraints) {
        const double below = belief_of(constraint.metric, option.known, names, option.beliefs)
                                 .below(constraint.bound);
        chance *= constraint.relation == Relation::at_most ? below : 1 - below;
    }
    return chance;
}

void ModelEngine::evaluate(std::vector<Option>& options, const DesignModel& model) const {
    std::vector<const Genome*> designs;
    for (const Option& option : options) designs.push_back(&option.genome);
    std::vector<std::vector<Belief>> beliefs = model.predict(designs);
    const ImprovementRegion region(believed_front(model), state_.reference);
    for (std::size_t i = 0; i < options.size(); ++i) {
        Option& option = options[i];
        option.beliefs = std::move(beliefs[i]);
        std::vector<Belief> objectives;
        for (const std::string& name : settings_.goals.objectives)
            objectives.push_back(belief_of(name, option.known, model.metrics(), option.beliefs));
        option.value =
            region.expected(objectives) * chance_to_keep_constraints(option, model.metrics());
    }
}

void ModelEngine::expect(const Candidate& candidate, const Option& option,
                         const DesignModel& model) {
    if (candidate.rung != last_rung()) return;
    const std::vector<Belief> beliefs = model.expect(candidate.genome);
    auto& expected = state_.model.expected[candidate.id];
    for (std::size_t i = 0; i < beliefs.size(); ++i)
        if (option.known.count(model.metrics()[i]) == 0)
            expected[model.metrics()[i]] = {beliefs[i].quantile(-1), beliefs[i].quantile(1)};
}

void ModelEngine::check_expected(const CompletedCandidate& completed) {
    const auto found = state_.model.expected.find(completed.candidate.id);
    if (found == state_.model.expected.end()) return;
    if (completed.status == Status::completed)
        for (const auto& [name, interval] : found->second) {
            const double value = completed.metrics.at(name);
            ++state_.model.intervals;
            if (interval.first <= value && value <= interval.second) ++state_.model.held;
        }
    state_.model.expected.erase(found);
}

std::unique_ptr<Engine> make_model_based(const SearchSpace& space, EngineSettings settings,
                                         StaticMetrics static_metrics) {
    return std::make_unique<ModelEngine>(space, std::move(settings), std::move(static_metrics));
}

}  // namespace edgeloop
