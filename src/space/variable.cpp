#include "edgeloop/space/variable.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgeloop {

Json::json_pointer pointer_to(std::string path) {
    std::replace(path.begin(), path.end(), '.', '/');
    return Json::json_pointer('/' + path);
}

double Variable::last() const {
    return traits().has_choices ? static_cast<double>(choices.size()) - 1 : upper;
}

double Variable::cardinality() const {
    if (traits().is_whole) return last() - first() + 1;
    return upper > lower ? std::numeric_limits<double>::infinity() : 1;
}

Json Variable::value_of(double gene) const {
    if (traits().has_choices) return choices[static_cast<std::size_t>(gene)];
    return traits().is_whole ? Json(static_cast<std::int64_t>(gene)) : Json(gene);
}

double Variable::legal(double gene) const {
    if (std::isnan(gene)) return first();
    // Adding 0 turns -0 into 0: equal genomes must have equal bytes.
    return std::clamp(traits().is_whole ? std::round(gene) : gene, first(), last()) + 0.0;
}

double Variable::to_scale(double gene) const {
    return traits().is_logarithmic ? std::log(gene) : gene;
}

double Variable::from_scale(double position) const {
    return traits().is_logarithmic ? std::exp(position) : position;
}

double Variable::sample(RandomStream& random) const {
    if (traits().is_whole)
        return first() +
               static_cast<double>(random.below(static_cast<std::uint64_t>(cardinality())));
    return from_scale(random.uniform(to_scale(lower), to_scale(upper)));
}

}  // namespace edgeloop
