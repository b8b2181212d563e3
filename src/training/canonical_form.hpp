#pragma once

#include "model/factored_module.hpp"

#include "edgeloop/architecture/low_rank.hpp"

#include <cstddef>
#include <vector>

#include <torch/types.h>

namespace edgeloop {

/// A bond of a layer in a basis in which its indices can be told apart.
///
/// Cores have a freedom: any invertible matrix may stand between two of them with its inverse. What
/// training ends with is one of many bases, and in most of them an index that is not needed
/// is spread over all others. Here index j is the j-th singular vector of the weights, as a matrix
/// of what is left of the bond and what is right of it: leaving out the last ones is the best
/// that can be done with fewer (Eckart and Young).
struct CanonicalBond {
    /// What indices bring, a vector in double on the host: singular values of the weights,
    /// descending. Of cp with three cores, which has no such freedom, products of the lengths of
    /// slices, in the order of its indices.
    torch::Tensor worth;
    /// For each axis of the bond a matrix (indices now, indices before), in double on the host,
    /// that a core is multiplied by along it; scales of the bond are part of it.
    std::vector<torch::Tensor> weights;
    /// The same for gradients of the loss.
    std::vector<torch::Tensor> gradients;

    /// With these indices only.
    /// @param indices  int64, at least one.
    [[nodiscard]] CanonicalBond with(const torch::Tensor& indices) const;
};

/// Of each bond of a layer.
using CanonicalForm = std::vector<CanonicalBond>;

/// Without ever making the weights that the cores stand for.
[[nodiscard]] CanonicalForm canonical_form(const FactoredModule& layer);

[[nodiscard]] Ranks ranks_in(const CanonicalForm& form);

/// What a tensor of the shape of a core is.
enum class CoreTensor { weights, gradients, squared_gradients };

/// A core, or what an optimiser remembers of it, with the indices of a form. Of squared gradients
/// it is what they are expected to be where gradients are independent of each other.
[[nodiscard]] torch::Tensor in_form(const torch::Tensor& tensor, CoreTensor what,
                                    const FactoredModule& layer, std::size_t core,
                                    const CanonicalForm& form);

/// Sum of squares of a core over everything but this dimension.
[[nodiscard]] torch::Tensor squares(const torch::Tensor& core, std::int64_t dimension);

}  // namespace edgeloop
