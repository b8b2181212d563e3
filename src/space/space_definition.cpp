#include "space/space_definition.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Variables that conditions tie together, directly or through others.
std::vector<std::vector<std::size_t>> tied_groups(const SpaceDefinition& space) {
    std::vector<std::size_t> root(space.variables.size());
    std::iota(root.begin(), root.end(), std::size_t{0});
    const auto find = [&](std::size_t i) {
        while (root[i] != i) i = root[i];
        return i;
    };
    for (std::size_t i = 0; i < root.size(); ++i)
        for (const Condition& condition : space.conditions[i])
            root[find(i)] = find(condition.variable);
    std::vector<std::vector<std::size_t>> groups(root.size());
    for (const std::size_t i : space.order) groups[find(i)].push_back(i);
    return groups;
}

/// Counts the canonical genomes of one group by trying every value of the genes others depend on.
class GroupCounter {
  public:
    GroupCounter(const SpaceDefinition& space, const std::vector<std::size_t>& group,
                 const std::vector<bool>& counted)
        : space_(space),
          group_(group),
          counted_(counted),
          is_parent_(space.variables.size()),
          genes_(space.variables.size()),
          active_(space.variables.size()) {
        double combinations = 1;
        for (const std::size_t i : group)
            for (const Condition& condition : space.conditions[i])
                if (!is_parent_[condition.variable]) {
                    is_parent_[condition.variable] = true;
                    combinations *= space.variables[condition.variable].cardinality();
                }
        if (combinations > max_combinations)
            throw ConfigError(
                fmt::format("conditions on {:.3g} combinations of values", combinations),
                fmt::format("at most {:.0g} can be counted", max_combinations));
    }

    double count(std::size_t position = 0) {
        if (position == group_.size()) return 1;
        const std::size_t i = group_[position];
        active_[i] = space_.holds(space_.conditions[i], genes_, active_);
        const Variable& variable = space_.variables[i];
        if (!active_[i] || !counted_[i]) {
            genes_[i] = variable.first();
            return count(position + 1);
        }
        if (!is_parent_[i]) return variable.cardinality() * count(position + 1);
        double total = 0;
        const auto values = static_cast<std::size_t>(variable.cardinality());
        for (std::size_t value = 0; value < values; ++value) {
            genes_[i] = variable.first() + static_cast<double>(value);
            total += count(position + 1);
        }
        return total;
    }

  private:
    static constexpr double max_combinations = 1e5;

    const SpaceDefinition& space_;
    const std::vector<std::size_t>& group_;
    const std::vector<bool>& counted_;
    std::vector<bool> is_parent_;
    std::vector<double> genes_;
    std::vector<bool> active_;
};

}  // namespace

bool SpaceDefinition::holds(const Conditions& conditions_of, const std::vector<double>& genes,
                            const std::vector<bool>& active) const {
    return std::all_of(conditions_of.begin(), conditions_of.end(), [&](const Condition& condition) {
        const std::size_t parent = condition.variable;
        return active[parent] && condition.allowed[variables[parent].index_of(genes[parent])];
    });
}

std::optional<Json> SpaceDefinition::assemble(const Genome& genome,
                                              const std::vector<bool>& active) const {
    Json spec = base;
    for (const Case& variant : cases)
        if (holds(variant.when, genome.genes, active)) spec.merge_patch(variant.set);
    for (std::size_t i = 0; i < variables.size(); ++i) {
        if (!active[i]) continue;
        for (const auto& path : bindings[i].paths) {
            if (!spec.contains(path)) return std::nullopt;
            spec[path] = variables[i].value_of(genome.genes[i]);
        }
    }
    // Lists are cut last, so that genes of elements that fall away do no harm.
    for (std::size_t i = 0; i < variables.size(); ++i) {
        if (!active[i]) continue;
        for (const auto& path : bindings[i].lengths) {
            if (!spec.contains(path) || !spec[path].is_array()) return std::nullopt;
            Json& list = spec[path];
            const auto length = variables[i].value_of(genome.genes[i]).get<std::size_t>();
            while (list.size() > length) list.erase(list.size() - 1);
        }
    }
    return spec;
}

double SpaceDefinition::count(const std::vector<bool>& counted) const {
    double product = 1;
    for (const auto& group : tied_groups(*this))
        if (!group.empty()) product *= GroupCounter(*this, group, counted).count();
    return product;
}

std::vector<std::size_t> dependency_order(const std::vector<Variable>& variables,
                                          const std::vector<Conditions>& conditions,
                                          const Place& place) {
    enum class Mark { unseen, open, done };
    std::vector<Mark> marks(variables.size(), Mark::unseen);
    std::vector<std::size_t> order;
    const std::function<void(std::size_t)> visit = [&](std::size_t i) {
        if (marks[i] == Mark::done) return;
        if (marks[i] == Mark::open)
            throw ConfigError(fmt::format("{}: the condition of '{}' depends on itself",
                                          (place / i / "when").text(), variables[i].name));
        marks[i] = Mark::open;
        for (const Condition& condition : conditions[i]) visit(condition.variable);
        marks[i] = Mark::done;
        order.push_back(i);
    };
    for (std::size_t i = 0; i < variables.size(); ++i) visit(i);
    return order;
}

}  // namespace edgeloop
