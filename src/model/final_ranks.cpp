#include "edgeloop/model/final_ranks.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/safetensors.hpp"

#include <utility>

namespace edgeloop {

ArchitectureSpec with_ranks_of(const WeightShapes& weights, ArchitectureSpec spec) {
    if (!spec.low_rank.adapts()) return spec;
    const std::vector<TensorLayer> layers = tensor_layers_of(spec);
    std::vector<Ranks> ranks = ranks_of(spec.low_rank, layers);
    std::size_t next = 0;
    for (const TensorLayer& layer : layers) {
        if (spec.low_rank.form_of(layer).is_dense()) continue;
        Ranks& own = ranks[next++];
        for (std::size_t i = 0; i < own.size(); ++i) {
            const std::string number = std::to_string(i);
            const auto found = weights.find(
                layer.name + (layer.is_linear ? ".core" + number : "." + number + ".weight"));
            if (found == weights.end() || found->second.empty()) continue;  // said when loaded
            // The rank on the right of a core; that of a convolution are its outputs.
            const std::int64_t rank =
                layer.is_linear ? found->second.back() : found->second.front();
            if (rank > 0 && rank < own[i]) own[i] = static_cast<int>(rank);
        }
    }
    spec.low_rank = with_ranks(spec.low_rank, layers, ranks);
    return spec;
}

ArchitectureSpec with_ranks_of_file(const std::string& file, ArchitectureSpec spec) {
    if (!spec.low_rank.adapts()) return spec;
    const std::string bytes = read_file(file);
    WeightShapes shapes;
    for (const auto& [name, view] : decode_safetensors(bytes, file).tensors)
        shapes[name] = view.shape;
    return with_ranks_of(shapes, std::move(spec));
}

}  // namespace edgeloop
