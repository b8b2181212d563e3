#include "edgeloop/architecture/families/pooled.hpp"

#include "edgeloop/architecture/layer_list.hpp"

#include <algorithm>

namespace edgeloop {

Grid3 Pooled::cells(const ClipShape& clip) const {
    const Grid3 positions{clip.frames, clip.side, clip.side};
    Grid3 result{};
    for (std::size_t d = 0; d < 3; ++d) result[d] = std::min<std::int64_t>(positions[d], grid[d]);
    return result;
}

std::optional<std::string> Pooled::problem() const {
    if (!quantisation.is_float()) return "this family has no layers of few bits";
    return std::nullopt;
}

ModelCounts Pooled::count(const ClipShape& clip) const {
    LayerList layers;
    const Grid3 kept = cells(clip);
    LayerElements pool;
    pool.input = static_cast<double>(clip.frames) * clip.side * clip.side;
    pool.output = static_cast<double>(volume(kept));
    pool.working = pool.input + pool.output;
    layers.add("pool", "mean", {1, kept[0], kept[1], kept[2]}, pool);
    std::int64_t width = volume(kept);
    for (std::size_t i = 0; i < hidden.size(); ++i) {
        layers.add_dense("hidden." + std::to_string(i), width, hidden[i]);
        width = hidden[i];
    }
    layers.add_dense("output", width, 2);
    return std::move(layers).total();
}

}  // namespace edgeloop
