#pragma once

#include "edgeloop/space/search_space.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop {

/// A design as the model compares it: one number per gene.
///
/// Of an ordered gene its place in the range, 0 to 1 on the scale on which it varies; of a
/// categorical one the number of its choice; `inactive` where the design has no such gene.
using Encoded = std::vector<double>;

constexpr double inactive = -1;

/// How genes are compared.
struct GeneScale {
    bool ordered = false;
    std::size_t choices = 0;  ///< of a categorical gene
    /// Genes with the same choices share what is learnt of how much each choice matters: the first
    /// of this gene's choices in the list of all of them.
    std::size_t first_choice = 0;
};

class DesignEncoding {
  public:
    explicit DesignEncoding(const SearchSpace& space);

    /// @param genome  canonical.
    [[nodiscard]] Encoded encode(const Genome& genome) const;
    /// Shape (genes).
    [[nodiscard]] const std::vector<GeneScale>& genes() const { return genes_; }
    /// Choices of all kinds of categorical genes.
    [[nodiscard]] std::size_t choices() const { return choices_; }

  private:
    const SearchSpace& space_;
    std::vector<GeneScale> genes_;
    std::size_t choices_ = 0;
};

}  // namespace edgeloop
