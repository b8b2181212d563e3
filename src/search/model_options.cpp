// The designs among which a model-led engine chooses.
#include "search/model_engine.hpp"

#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace edgeloop {
namespace {

constexpr std::size_t new_designs = 320;      ///< looked at for each candidate
constexpr std::size_t bred_designs = 240;     ///< of these offspring of front and population
constexpr std::size_t trials_per_design = 4;  ///< offspring are often known already

}  // namespace

void add_measured(Metrics& known, const Measured& measured) {
    for (const auto& [device_class, outcome] : measured)
        for (const auto& [name, value] : outcome.metrics)
            known[metric_of_class(name, device_class)] = value;
}

bool all_foreseen(const std::vector<std::string>& wanted, const Metrics& known,
                  const std::vector<std::string>& learnt) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
        return known.count(name) > 0 ||
               std::find(learnt.begin(), learnt.end(), name) != learnt.end();
    });
}

std::vector<ModelEngine::Option> ModelEngine::options(RandomStream& random) {
    std::vector<Option> all;
    for (std::size_t rung = 0; rung < rungs().size(); ++rung) {
        if (!may_promote_from(rung)) continue;
        for (RungEntry& entry : rungs()[rung]) {
            if (!may_promote(entry)) continue;
            all.push_back(
                {entry.completed.candidate.genome, entry.completed.settled, &entry, {}, 0});
        }
    }
    if (!spent()) add_new_designs(all, random);
    return all;
}

Metrics ModelEngine::counted(const Genome& genome) const {
    if (!counted_) {
        counted_.emplace();
        for (const auto& metric : proposer_.static_metrics(state_.model.results.front().genome))
            counted_->insert(metric.first);
    }
    const std::vector<std::string> wanted = settings_.goals.wanted();
    const bool matters = std::any_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
        return counted_->count(name) > 0;
    });
    return matters ? proposer_.static_metrics(genome) : Metrics();
}

void ModelEngine::add_scouted(std::vector<Option>& options, Genome genome,
                              const Measured& measured) const {
    for (const auto& each : measured)
        if (each.second.status != Status::completed) return;
    Metrics known = counted(genome);
    add_measured(known, measured);
    if (!settings_.goals.broken(known) &&
        all_foreseen(settings_.goals.wanted(), known, learnt_metrics())) {
        const auto bred = state_.model.parents.find(genome.genes);
        options.push_back({std::move(genome), std::move(known)});
        if (bred != state_.model.parents.end()) options.back().parents = bred->second;
    }
}

std::vector<Offspring> ModelEngine::possible_parents() const {
    std::vector<Offspring> parents;
    for (const ArchiveMember& member : state_.archive.members())
        parents.push_back({member.completed.candidate.genome, {member.completed.candidate.id}});
    for (const Individual& individual : state_.population.individuals())
        parents.push_back({individual.genome, {individual.id}});
    return parents;
}

Offspring ModelEngine::child_of(const std::vector<Offspring>& parents, RandomStream& random) const {
    const Offspring& mother = parents[random.below(parents.size())];
    const Offspring& father = parents[random.below(parents.size())];
    Genome child = vary(space(), mother.genome, father.genome, settings_.variation, random).first;
    mutate(space(), child, settings_.variation, random);
    return {std::move(child), both_parents(mother.parents.front(), father.parents.front())};
}

void ModelEngine::add_new_designs(std::vector<Option>& options, RandomStream& random) const {
    const std::vector<Offspring> parents = possible_parents();
    std::set<std::vector<double>> known;
    for (const ModelResult& result : state_.model.results) known.insert(result.genome.genes);
    for (const auto& pending : state_.pending) known.insert(pending.second.genome.genes);
    for (const auto& [genes, measured] : state_.model.scouted)
        if (known.insert(genes).second) add_scouted(options, Genome{genes}, measured);
    const std::vector<std::string> learnt = learnt_metrics();
    const std::vector<std::string> wanted = settings_.goals.wanted();
    std::size_t found = 0;
    const auto add = [&](Offspring design) {
        if (!known.insert(design.genome.genes).second) return;
        Metrics known_of_it = counted(design.genome);
        if (settings_.goals.broken(known_of_it) || !all_foreseen(wanted, known_of_it, learnt))
            return;
        options.push_back({std::move(design.genome), std::move(known_of_it)});
        options.back().parents = std::move(design.parents);
        ++found;
    };
    for (std::size_t trial = 0;
         trial < trials_per_design * bred_designs && found < bred_designs && !parents.empty();
         ++trial)
        add(child_of(parents, random));
    for (std::size_t trial = 0; trial < trials_per_design * new_designs && found < new_designs;
         ++trial)
        add({space().sample(random)});
}

}  // namespace edgeloop
