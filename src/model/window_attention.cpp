#include "model/window_attention.hpp"

#include "model/layers.hpp"

#include <cmath>
#include <map>
#include <tuple>

#include <ATen/TracerMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>

namespace edgeloop {
namespace {

// No shape here says how large a batch is: -1 stands for it, so that what is traced once runs with
// any.

/// (T, H, W, 1): whether a position of the padded grid has a token.
torch::Tensor has_token(const WindowGeometry& g, torch::Device device) {
    const at::tracer::impl::NoTracerDispatchMode constant;
    torch::Tensor inside = torch::zeros({g.padded[0], g.padded[1], g.padded[2], 1}, torch::kBool);
    inside.slice(0, 0, g.grid[0]).slice(1, 0, g.grid[1]).slice(2, 0, g.grid[2]).fill_(true);
    return inside.to(device);
}

/// Appends positions that hold `padding` at the end of T, H and W.
torch::Tensor pad(const torch::Tensor& x, const torch::Tensor& padding, const WindowGeometry& g) {
    if (g.padded == g.grid) return x;
    const torch::Tensor larger = torch::constant_pad_nd(
        x,
        {0, 0, 0, g.padded[2] - g.grid[2], 0, g.padded[1] - g.grid[1], 0, g.padded[0] - g.grid[0]});
    return torch::where(has_token(g, x.device()), larger, padding);
}

/// (B, T, H, W, C) -> (B * windows, N, C).
torch::Tensor partition(const torch::Tensor& x, const WindowGeometry& g) {
    return x
        .reshape({-1, g.padded[0] / g.window[0], g.window[0], g.padded[1] / g.window[1],
                  g.window[1], g.padded[2] / g.window[2], g.window[2], x.size(4)})
        .permute({0, 1, 3, 5, 2, 4, 6, 7})
        .reshape({-1, g.window_tokens(), x.size(4)});
}

/// (B * windows, N, C) -> (B, T, H, W, C): the inverse of partition().
torch::Tensor merge(const torch::Tensor& x, const WindowGeometry& g) {
    return x
        .reshape({-1, g.padded[0] / g.window[0], g.padded[1] / g.window[1],
                  g.padded[2] / g.window[2], g.window[0], g.window[1], g.window[2], x.size(2)})
        .permute({0, 1, 4, 2, 5, 3, 6, 7})
        .reshape({-1, g.padded[0], g.padded[1], g.padded[2], x.size(2)});
}

// What follows from the geometry alone is not traced: a traced network has it as a constant. (The
// tracer would not see that torch::tensor() and data_ptr() write values.)

/// (N, N): rows of the bias table.
torch::Tensor table_index(const WindowGeometry& geometry) {
    const at::tracer::impl::NoTracerDispatchMode constant;
    const torch::Tensor codes = torch::tensor(geometry.position_codes(), torch::kLong);
    return codes.unsqueeze(1) - codes.unsqueeze(0) + geometry.code_offset();
}

/// (windows, N, N): -100 between tokens of different regions, else 0.
torch::Tensor region_mask(const WindowGeometry& geometry) {
    const at::tracer::impl::NoTracerDispatchMode constant;
    torch::Tensor regions =
        torch::empty({1, geometry.padded[0], geometry.padded[1], geometry.padded[2], 1});
    float* region = regions.data_ptr<float>();
    for (std::int64_t t = 0; t < geometry.padded[0]; ++t)
        for (std::int64_t h = 0; h < geometry.padded[1]; ++h)
            for (std::int64_t w = 0; w < geometry.padded[2]; ++w)
                *region++ = static_cast<float>(geometry.region(0, t) * 9 +
                                               geometry.region(1, h) * 3 + geometry.region(2, w));
    const torch::Tensor windows = partition(regions, geometry).squeeze(2);
    return (windows.unsqueeze(1) != windows.unsqueeze(2)).to(torch::kFloat) * -100;
}

torch::Tensor rolled(const torch::Tensor& x, const WindowGeometry& g, std::int64_t sign) {
    if (!g.is_shifted()) return x;
    return torch::roll(x, {sign * g.shift[0], sign * g.shift[1], sign * g.shift[2]}, {1, 2, 3});
}

/// What follows from the geometry, on a device and in a type.
struct WindowConstants {
    torch::Tensor index;  ///< (N * N): rows of the bias table
    torch::Tensor mask;   ///< (windows, N, N); undefined without a shift
};

/// Computed once for each geometry: on the host, which would keep a GPU waiting in every block.
WindowConstants constants_of(const WindowGeometry& g, const torch::Tensor& like) {
    // From these the rest of a geometry follows.
    using Key = std::tuple<Grid3, Grid3, bool, std::string, torch::ScalarType>;
    constexpr std::size_t max_bytes = std::size_t(256) << 20;
    thread_local std::map<Key, WindowConstants> kept;
    thread_local std::size_t bytes = 0;
    const Key key{g.grid, g.full_window, g.is_shifted(), like.device().str(), like.scalar_type()};
    if (const auto found = kept.find(key); found != kept.end()) return found->second;
    // What is kept may be used in training, whoever asked first.
    const c10::InferenceMode no_inference(false);
    const torch::NoGradGuard no_grad;
    const at::tracer::impl::NoTracerDispatchMode constant;
    WindowConstants made;
    made.index = table_index(g).reshape(-1).to(like.device());
    if (g.is_shifted()) made.mask = region_mask(g).to(like.device(), like.scalar_type());
    const std::size_t size = made.index.nbytes() + (g.is_shifted() ? made.mask.nbytes() : 0);
    if (bytes + size > max_bytes) {
        kept.clear();
        bytes = 0;
    }
    bytes += size;
    return kept[key] = made;
}

/// What attention inside windows works on. N tokens of a window, D channels of a head.
struct WindowParts {
    torch::Tensor queries, keys, values;  ///< (B * windows, heads, N, D)
    torch::Tensor bias;                   ///< (heads, N, N)
    torch::Tensor mask;                   ///< (windows, N, N); undefined without a shift
};

WindowParts window_parts(const torch::Tensor& qkv, const torch::Tensor& padding,
                         const torch::Tensor& table, const WindowGeometry& geometry) {
    const std::int64_t heads = table.size(1);
    const std::int64_t n = geometry.window_tokens();
    const torch::Tensor padded = pad(qkv, in_type(qkv.scalar_type(), padding), geometry);
    const torch::Tensor windows = partition(rolled(padded, geometry, -1), geometry)
                                      .reshape({-1, n, 3, heads, qkv.size(4) / 3 / heads})
                                      .permute({2, 0, 3, 1, 4});
    const WindowConstants constants = constants_of(geometry, qkv);
    WindowParts parts;
    parts.queries = windows[0];
    parts.keys = windows[1];
    parts.values = windows[2];
    parts.bias = table.index({constants.index}).reshape({n, n, heads}).permute({2, 0, 1});
    parts.mask = constants.mask;
    return parts;
}

/// (B * windows, heads, N, D) -> (B, T, H, W, C), without padding.
torch::Tensor from_windows(const torch::Tensor& values, const WindowGeometry& geometry) {
    const torch::Tensor tokens = values.transpose(1, 2).flatten(2);
    return rolled(merge(tokens, geometry), geometry, 1)
        .slice(1, 0, geometry.grid[0])
        .slice(2, 0, geometry.grid[1])
        .slice(3, 0, geometry.grid[2])
        .contiguous();
}

torch::Tensor plain_window_attention(const torch::Tensor& qkv, const torch::Tensor& padding,
                                     const torch::Tensor& table, const WindowGeometry& geometry) {
    const WindowParts parts = window_parts(qkv, padding, table, geometry);
    const std::int64_t heads = parts.bias.size(0), n = parts.bias.size(1);
    const torch::Tensor queries =
        parts.queries * (1 / std::sqrt(static_cast<double>(parts.queries.size(3))));
    torch::Tensor scores = queries.matmul(parts.keys.transpose(-2, -1)) + parts.bias;
    if (parts.mask.defined())
        scores = (scores.reshape({-1, geometry.windows(), heads, n, n}) +
                  parts.mask.unsqueeze(1).unsqueeze(0))
                     .reshape({-1, heads, n, n});
    return from_windows(scores.softmax(-1).matmul(parts.values), geometry);
}

/// Where tokens go: which token stands at each position of the windows, and the reverse.
struct WindowPlaces {
    torch::Tensor token_at;  ///< (windows * N): number of a token; 0 where there is padding
    torch::Tensor inside;    ///< (windows * N, 1): whether there is none
    torch::Tensor place_of;  ///< (tokens): its position among those of all windows
    bool identity = true;    ///< every token is where it was
};

WindowPlaces places_of(const WindowGeometry& g) {
    const std::int64_t positions = g.windows() * g.window_tokens();
    WindowPlaces places;
    places.token_at = torch::zeros({positions}, torch::kLong);
    places.inside = torch::zeros({positions, 1}, torch::kBool);
    places.place_of = torch::zeros({g.tokens()}, torch::kLong);
    auto* token_at = places.token_at.data_ptr<std::int64_t>();
    auto* inside = places.inside.data_ptr<bool>();
    auto* place_of = places.place_of.data_ptr<std::int64_t>();
    const Grid3 windows{g.padded[0] / g.window[0], g.padded[1] / g.window[1],
                        g.padded[2] / g.window[2]};
    for (std::int64_t place = 0; place < positions; ++place) {
        std::int64_t window = place / g.window_tokens(), token = place % g.window_tokens();
        Grid3 at{};
        for (std::size_t d = 3; d-- > 0;) {
            at[d] = window % windows[d] * g.window[d] + token % g.window[d];
            at[d] = (at[d] + g.shift[d]) % g.padded[d];
            window /= windows[d];
            token /= g.window[d];
        }
        if (at[0] >= g.grid[0] || at[1] >= g.grid[1] || at[2] >= g.grid[2]) {
            places.identity = false;
            continue;
        }
        token_at[place] = (at[0] * g.grid[1] + at[1]) * g.grid[2] + at[2];
        inside[place] = true;
        place_of[token_at[place]] = place;
        places.identity = places.identity && token_at[place] == place;
    }
    return places;
}

/// Bias and mask as one: (windows or 1, heads, N, N).
torch::Tensor added_to_scores(const torch::Tensor& table, const WindowGeometry& g) {
    const std::int64_t n = g.window_tokens();
    const WindowConstants constants = constants_of(g, table);
    const torch::Tensor bias = table.detach()
                                   .index({constants.index})
                                   .reshape({1, n, n, table.size(1)})
                                   .permute({0, 3, 1, 2})
                                   .contiguous();
    return constants.mask.defined() ? bias + constants.mask.unsqueeze(1) : bias;
}

torch::Tensor masked_scores(const torch::Tensor& scores, const torch::Tensor& table,
                            const WindowGeometry& g) {
    // Larger ones would be read from memory where bias and mask come from the cache.
    constexpr std::int64_t max_bytes = 2 << 20;
    const std::int64_t heads = table.size(1), n = g.window_tokens();
    const bool one = g.windows() * heads * n * n * std::int64_t(sizeof(float)) <= max_bytes;
    torch::Tensor added, mask;
    {
        const at::tracer::impl::NoTracerDispatchMode constant;
        if (one || !g.is_shifted()) {
            added = added_to_scores(table, g);
        } else {
            WindowGeometry unshifted = g;
            unshifted.shift = {0, 0, 0};
            added = added_to_scores(table, unshifted);
            mask = constants_of(g, table).mask.unsqueeze(1);
        }
    }
    if (!g.is_shifted()) return scores + added;
    torch::Tensor all = scores.reshape({-1, g.windows(), heads, n, n}) + added;
    if (mask.defined()) all = all + mask;
    return all.reshape({-1, heads, n, n});
}

torch::Tensor library_window_attention(const torch::Tensor& qkv, const torch::Tensor& padding,
                                       const torch::Tensor& table, const WindowGeometry& geometry) {
#if TORCH_VERSION_MAJOR >= 2
    const WindowParts parts = window_parts(qkv, padding, table, geometry);
    const std::int64_t windows = geometry.windows(), n = geometry.window_tokens();
    // Windows and heads as one dimension: the operator takes one matrix of additions for each.
    const auto joined = [&](const torch::Tensor& part) {
        return part.reshape({qkv.size(0), windows * parts.bias.size(0), n, part.size(3)});
    };
    torch::Tensor added = parts.bias.unsqueeze(0);
    if (parts.mask.defined()) added = added + parts.mask.unsqueeze(1);
    added = in_type(parts.queries.scalar_type(),
                    added.expand({windows, parts.bias.size(0), n, n}).reshape({1, -1, n, n}));
    const torch::Tensor values = at::scaled_dot_product_attention(
        joined(parts.queries), joined(parts.keys), joined(parts.values), added);
    return from_windows(values.reshape(parts.values.sizes()), geometry);
#else
    return plain_window_attention(qkv, padding, table, geometry);
#endif
}

}  // namespace

torch::Tensor window_attention(const torch::Tensor& qkv, const torch::Tensor& padding,
                               const torch::Tensor& table, const WindowGeometry& geometry,
                               Kernels kernels) {
    if (kernels == Kernels::plain) return plain_window_attention(qkv, padding, table, geometry);
    const bool has_own = qkv.device().is_cpu() && qkv.scalar_type() == torch::kFloat;
    return kernels == Kernels::fused && has_own
               ? fused_window_attention(qkv, padding, table, geometry)
               : library_window_attention(qkv, padding, table, geometry);
}

torch::Tensor query_scales(const torch::Tensor& bias, std::int64_t heads) {
    const at::tracer::impl::NoTracerDispatchMode constant;
    const std::int64_t channels = bias.size(0) / 3;
    torch::Tensor factors = torch::ones({3 * channels}, bias.options());
    factors.slice(0, 0, channels)
        .fill_(1 / std::sqrt(static_cast<double>(channels) / static_cast<double>(heads)));
    return factors;
}

torch::Tensor constant_product(const torch::Tensor& bias, const torch::Tensor& factors) {
    const at::tracer::impl::NoTracerDispatchMode constant;
    return bias.detach() * factors;
}

Projection scaled_projection(const Projection& projection, std::int64_t heads) {
    const torch::Tensor factors = query_scales(projection.bias, heads);
    const at::tracer::impl::NoTracerDispatchMode constant;
    return {projection.weight.detach() * factors.unsqueeze(1), projection.bias.detach() * factors};
}

torch::Tensor exported_window_attention(const torch::Tensor& qkv, const torch::Tensor& padding,
                                        const torch::Tensor& table,
                                        const WindowGeometry& geometry) {
    WindowPlaces places;
    {
        const at::tracer::impl::NoTracerDispatchMode constant;
        places = places_of(geometry);
        for (torch::Tensor* each : {&places.token_at, &places.inside, &places.place_of})
            *each = each->to(qkv.device());
    }
    const std::int64_t heads = table.size(1), n = geometry.window_tokens();
    const std::int64_t channels = qkv.size(4) / 3;
    torch::Tensor windows = qkv.reshape({-1, geometry.tokens(), 3 * channels});
    if (!places.identity) {
        windows = windows.index_select(1, places.token_at);
        if (geometry.padded != geometry.grid)
            windows = torch::where(places.inside, windows, padding);
    }
    windows = windows.reshape({-1, n, 3, heads, channels / heads}).permute({2, 0, 3, 1, 4});
    const torch::Tensor scores =
        masked_scores(windows[0].matmul(windows[1].transpose(-2, -1)), table, geometry);
    torch::Tensor values = scores.softmax(-1)
                               .matmul(windows[2])
                               .transpose(1, 2)
                               .reshape({-1, geometry.windows() * n, channels});
    if (!places.identity) values = values.index_select(1, places.place_of);
    return values.reshape({-1, geometry.grid[0], geometry.grid[1], geometry.grid[2], channels});
}

}  // namespace edgeloop
