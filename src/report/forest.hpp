#pragma once

#include "edgeloop/core/random_stream.hpp"

#include <cstddef>
#include <vector>

namespace edgeloop::report {

/// Values of a feature by row. A number; missing (NaN) is below all others. Of a category its
/// number, from 0, or NaN.
struct Feature {
    std::vector<double> values;
    std::size_t categories = 0;  ///< 0: it is a number
};

struct ForestSettings {
    int trees = 20;
    std::size_t least_leaf = 3;  ///< rows
};

/// A regression forest: trees on bootstraps; in each node a third of the features, at least three,
/// are looked at.
/// Categories are split in the order of their mean in the node, which is exact for squared error.
/// Source: Breiman, Random forests, Machine Learning 45, 2001; Fisher 1958 for the categories.
class Forest {
  public:
    /// @param rows  to learn from; at least one.
    Forest(const std::vector<Feature>& features, const std::vector<double>& target,
           const std::vector<std::size_t>& rows, const ForestSettings& settings,
           RandomStream& random);

    /// Mean of the trees for a row. @param swapped  the feature whose value is that of row `other`;
    /// the number of features: none.
    [[nodiscard]] double predict(const std::vector<Feature>& features, std::size_t row,
                                 std::size_t swapped, std::size_t other) const;

  private:
    struct Node {
        std::size_t feature = 0, left = 0, right = 0;  ///< left 0: a leaf
        double threshold = 0, value = 0;
        std::vector<bool> goes_left;  ///< of categories; [0] is missing
    };
    using Tree = std::vector<Node>;
    class Grower;

    std::vector<Tree> trees_;
};

}  // namespace edgeloop::report
