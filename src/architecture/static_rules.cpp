#include "edgeloop/architecture/static_rules.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"

#include <fmt/format.h>

namespace edgeloop {

std::optional<std::string> static_problem(const Design& design, const StaticLimits& limits) try {
    const ModelCounts& counts = design.counts();
    const auto parameters = static_cast<double>(counts.parameters);
    if (parameters > limits.parameters)
        return fmt::format("{:.4g} parameters, over the limit of {:.4g}", parameters,
                           limits.parameters);
    const double memory_mib = training_bytes(counts, design.spec().training) / bytes_per_mib;
    if (memory_mib > limits.training_memory_mib)
        return fmt::format("training needs {:.4g} MiB, over the limit of {:.4g}", memory_mib,
                           limits.training_memory_mib);
    return std::nullopt;
} catch (const ConfigError& error) {
    return error.problem();
}

}  // namespace edgeloop
