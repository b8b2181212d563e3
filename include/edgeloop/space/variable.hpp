#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace edgeloop {

enum class GeneKind { categorical, ordinal, integer, real, log_real };

/// What sets a kind of gene apart. Whoever treats genes differently asks for a trait, not for the
/// kind, so a new kind is a row here.
struct GeneTraits {
    const char* name;     ///< in space files
    bool has_choices;     ///< a gene is the index of a choice; otherwise the value itself
    bool is_whole;        ///< no values between two neighbours
    bool is_ordered;      ///< values that are close give designs that are alike
    bool is_logarithmic;  ///< varies on a logarithmic scale
};
/// By kind.
constexpr std::array<GeneTraits, 5> gene_kinds{{
    {"categorical", true, true, false, false},
    {"ordinal", true, true, true, false},
    {"integer", false, true, true, false},
    {"real", false, false, true, false},
    {"log_real", false, false, true, true},
}};

/// A dotted path into a spec, "architecture.stages.0.channels", as a JSON pointer.
[[nodiscard]] Json::json_pointer pointer_to(std::string path);

/// One searched variable.
struct Variable {
    std::string name;  ///< often the dotted path into the spec, e.g. "architecture.embed_dim"
    GeneKind kind = GeneKind::categorical;
    std::vector<Json> choices;         ///< of kinds that have them
    double lower = 0, upper = 0;       ///< of the others: inclusive
    std::vector<std::string> paths;    ///< places in the spec that take its value
    std::vector<std::string> lengths;  ///< lists of the spec that are cut to this length

    [[nodiscard]] const GeneTraits& traits() const {
        return gene_kinds[static_cast<std::size_t>(kind)];
    }
    /// The smallest and the largest gene. The first is also that of designs without this variable.
    [[nodiscard]] double first() const { return traits().has_choices ? 0 : lower; }
    [[nodiscard]] double last() const;
    /// Number of values; infinity where they are not whole.
    [[nodiscard]] double cardinality() const;
    /// Position of a gene among the values. REQUIRES: whole values.
    [[nodiscard]] std::size_t index_of(double gene) const {
        return static_cast<std::size_t>(gene - first());
    }
    /// What a gene stands for, as it appears in specs.
    [[nodiscard]] Json value_of(double gene) const;
    /// The nearest legal gene; the first for NaN.
    [[nodiscard]] double legal(double gene) const;
    /// To and from the scale on which the variable varies.
    [[nodiscard]] double to_scale(double gene) const;
    [[nodiscard]] double from_scale(double position) const;
    /// Uniform on that scale.
    [[nodiscard]] double sample(RandomStream& random) const;
};

}  // namespace edgeloop
