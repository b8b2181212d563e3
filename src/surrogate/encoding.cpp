#include "surrogate/encoding.hpp"

#include <map>
#include <string>

namespace edgeloop {
namespace {

/// Genes are alike when they choose among the same things.
std::string choices_of(const Variable& variable) { return Json(variable.choices).dump(); }

}  // namespace

DesignEncoding::DesignEncoding(const SearchSpace& space) : space_(space) {
    std::map<std::string, std::size_t> first;
    for (const Variable& variable : space.variables()) {
        GeneScale gene;
        gene.ordered = variable.traits().is_ordered;
        if (!gene.ordered) {
            gene.choices = static_cast<std::size_t>(variable.cardinality());
            const auto [found, is_new] = first.emplace(choices_of(variable), choices_);
            if (is_new) choices_ += gene.choices;
            gene.first_choice = found->second;
        }
        genes_.push_back(gene);
    }
}

Encoded DesignEncoding::encode(const Genome& genome) const {
    const std::vector<bool> active = space_.active(genome);
    Encoded encoded(genes_.size(), inactive);
    for (std::size_t i = 0; i < genes_.size(); ++i) {
        if (!active[i]) continue;
        const Variable& variable = space_.variables()[i];
        const double gene = genome.genes[i];
        if (!genes_[i].ordered) {
            encoded[i] = static_cast<double>(variable.index_of(gene));
            continue;
        }
        const double low = variable.to_scale(variable.first());
        const double extent = variable.to_scale(variable.last()) - low;
        encoded[i] = extent > 0 ? (variable.to_scale(gene) - low) / extent : 0;
    }
    return encoded;
}

}  // namespace edgeloop
