#include "edgeloop/architecture/static_rules.hpp"

#include "architecture/families.hpp"

#include "edgeloop/core/error.hpp"

#include <array>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Beyond these no machine this project knows could train a candidate; spaces set tighter limits.
constexpr double most_parameters = 2e9;
constexpr double most_training_memory_mib = 512 * 1024;

const std::array<const Family*, 3> families{&swin3d_family, &cnn3d_family, &mbconv3d_family};

const Family& family_of(const ArchitectureSpec& spec) {
    const Family* family = find_family(spec.family);
    EDGELOOP_EXPECT(family != nullptr, "unknown family '" + spec.family + "'");
    return *family;
}

}  // namespace

const Family* find_family(const std::string& name) {
    for (const Family* family : families)
        if (family->name == name) return family;
    return nullptr;
}

const std::vector<std::string>& known_families() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> list;
        for (const Family* family : families) list.push_back(family->name);
        return list;
    }();
    return names;
}

std::optional<std::string> static_problem(const ArchitectureSpec& spec) {
    if (auto problem = family_of(spec).shape_problem(spec)) return problem;
    const CostEstimate cost = estimate_cost(spec);
    if (cost.parameters > most_parameters)
        return fmt::format("{:.3g} parameters, more than {:.3g}", cost.parameters, most_parameters);
    if (cost.training_memory_mib > most_training_memory_mib)
        return fmt::format("training needs about {:.3g} MiB, more than {:.3g}",
                           cost.training_memory_mib, most_training_memory_mib);
    return std::nullopt;
}

CostEstimate estimate_cost(const ArchitectureSpec& spec) { return family_of(spec).estimate(spec); }

CostEstimate cost_of(double parameters, double activations_per_clip, const ArchitectureSpec& spec) {
    constexpr double float_bytes = 4, copies_of_weights = 4, bytes_per_mib = 1 << 20;
    const double floats =
        copies_of_weights * parameters + activations_per_clip * spec.training.batch;
    return {parameters, float_bytes * floats / bytes_per_mib};
}

}  // namespace edgeloop
