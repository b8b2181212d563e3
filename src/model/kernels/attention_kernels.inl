// Attention of one head in one window. Before including: EDGELOOP_VECTOR_BYTES.

#include "model/kernels/attention_kernels.hpp"
#include "model/kernels/vector.inl"

namespace {

using edgeloop::kernels::AttentionShape;
using edgeloop::kernels::BackwardArrays;
using edgeloop::kernels::ForwardArrays;
using edgeloop::kernels::WindowIndex;

/// Queries whose scores are in scratch at one time: few enough for the second-level cache.
constexpr std::int64_t strip = 36;

enum Part { queries, keys, values };

/// Lengths derived from the shape, and where this window's head lies in the arrays.
struct Frame {
    Frame(const AttentionShape& s, const WindowIndex& at)
        : n(s.window_tokens),
          d(s.head_dim),
          row(edgeloop::row_stride(s.window_tokens)),
          channel(edgeloop::row_stride(s.head_dim)),
          vectors((s.head_dim + width - 1) / width * width),
          scores((s.window_tokens + width - 1) / width * width),
          token(s.token + at.window * s.window_tokens),
          region(s.region == nullptr ? nullptr : s.region + at.window * s.window_tokens),
          bias(s.bias + at.head * s.window_tokens * row),
          token_stride(s.heads * s.head_dim),
          first_token(at.clip * s.clip_tokens),
          head_offset(at.head * s.head_dim),
          log_sum_offset(((at.clip * s.windows + at.window) * s.heads + at.head) *
                         s.window_tokens) {}

    /// Place of a token's part in an array like qkv.
    [[nodiscard]] std::int64_t in_qkv(std::int64_t place, Part part) const {
        return ((first_token + token[place]) * 3 + part) * token_stride + head_offset;
    }
    /// Place of a token in an array like output.
    [[nodiscard]] std::int64_t in_output(std::int64_t place) const {
        return (first_token + token[place]) * token_stride + head_offset;
    }
    [[nodiscard]] bool is_padding(std::int64_t place) const { return token[place] < 0; }

    std::int64_t n, d;
    std::int64_t row, channel;     ///< strides of score rows and of channel rows in scratch
    std::int64_t vectors, scores;  ///< d and n in whole vectors
    const std::int32_t* token;
    const std::uint8_t* region;
    const float* bias;
    std::int64_t token_stride, first_token, head_offset, log_sum_offset;
};

/// Copies one part of all tokens into rows of scratch, times `factor`; zeros fill the last vector.
void gather(const Frame& f, const float* qkv, const float* padding, Part part, float factor,
            float* rows) {
    for (std::int64_t i = 0; i < f.n; ++i) {
        const float* from = f.is_padding(i) ? padding + part * f.token_stride + f.head_offset
                                            : qkv + f.in_qkv(i, part);
        float* to = rows + i * f.channel;
        for (std::int64_t c = 0; c < f.d; ++c) to[c] = factor * from[c];
        for (std::int64_t c = f.d; c < f.vectors; ++c) to[c] = 0;
    }
}

/// Transposes rows (N, D) into columns (D, N); zeros fill the last vector.
void transpose(const Frame& f, const float* rows, float* columns) {
    for (std::int64_t i = 0; i < f.n; ++i)
        for (std::int64_t c = 0; c < f.d; ++c) columns[c * f.row + i] = rows[i * f.channel + c];
    for (std::int64_t c = 0; c < f.d; ++c)
        for (std::int64_t i = f.n; i < f.scores; ++i) columns[c * f.row + i] = 0;
}

/// Penalties against a query of region r, one row for each r that occurs. Shape (regions, N).
void fill_penalties(const Frame& f, float* penalties) {
    if (f.region == nullptr) return;
    bool done[edgeloop::kernels::max_regions] = {};
    for (std::int64_t q = 0; q < f.n; ++q) {
        const std::uint8_t region = f.region[q];
        if (done[region]) continue;
        done[region] = true;
        float* row = penalties + region * f.row;
        for (std::int64_t i = 0; i < f.n; ++i)
            row[i] = f.region[i] == region ? 0 : edgeloop::kernels::region_penalty;
        for (std::int64_t i = f.n; i < f.scores; ++i) row[i] = 0;
    }
}

/// Adds bias and penalty to a row of scores and returns its maximum.
EDGELOOP_INLINE float add_bias(const Frame& f, std::int64_t query, const float* penalties,
                               float* row) {
    const float* bias = f.bias + query * f.row;
    // Columns beyond N get the bias array's padding, which is far below any score.
    Vec largest = load(row) + load(bias);
    if (f.region == nullptr) {
        for (std::int64_t j = 0; j < f.scores; j += width) {
            const Vec score = load(row + j) + load(bias + j);
            largest = larger(largest, score);
            store(row + j, score);
        }
    } else {
        const float* penalty = penalties + f.region[query] * f.row;
        largest += load(penalty);
        for (std::int64_t j = 0; j < f.scores; j += width) {
            const Vec score = load(row + j) + load(bias + j) + load(penalty + j);
            largest = larger(largest, score);
            store(row + j, score);
        }
    }
    return max_of(largest);
}

/// Replaces scores by e^(score - shift) and returns their sum.
EDGELOOP_INLINE float exponentiate(const Frame& f, float shift, float* row) {
    const Vec shifts = broadcast(shift);
    Vec sum{};
    for (std::int64_t j = 0; j < f.scores; j += width) {
        const Vec value = exponential(load(row + j) - shifts);
        sum += value;
        store(row + j, value);
    }
    return sum_of(sum);
}

/// Divides scratch up.
class Arena {
  public:
    explicit Arena(float* start) : next_(start) {}
    float* take(std::int64_t count) {
        float* taken = next_;
        next_ += edgeloop::row_stride(count);
        return taken;
    }

  private:
    float* next_;
};

void forward(const AttentionShape& shape, const WindowIndex& at, const ForwardArrays& arrays,
             float* scratch) {
    const NoDenormals no_denormals;
    const Frame f(shape, at);
    Arena arena(scratch);
    float* q = arena.take(f.n * f.channel);
    float* k = arena.take(f.n * f.channel);
    float* v = arena.take(f.n * f.channel);
    float* k_columns = arena.take(f.d * f.row);
    float* scores = arena.take(strip * f.row);
    float* weighted = arena.take(strip * f.channel);
    float* penalties = arena.take(edgeloop::kernels::max_regions * f.row);
    gather(f, arrays.qkv, arrays.padding, queries, shape.scale, q);
    gather(f, arrays.qkv, arrays.padding, keys, 1, k);
    gather(f, arrays.qkv, arrays.padding, values, 1, v);
    transpose(f, k, k_columns);
    fill_penalties(f, penalties);

    for (std::int64_t first = 0; first < f.n; first += strip) {
        const std::int64_t count = f.n - first < strip ? f.n - first : strip;
        product<Left::rows>(count, f.scores, f.d, q + first * f.channel, f.channel, k_columns,
                            f.row, scores, f.row, false);
        float inverse_sum[strip];
        for (std::int64_t i = 0; i < count; ++i) {
            float* row = scores + i * f.row;
            const float largest = add_bias(f, first + i, penalties, row);
            const float sum = exponentiate(f, largest, row);
            inverse_sum[i] = 1 / sum;
            if (arrays.log_sum != nullptr)
                arrays.log_sum[f.log_sum_offset + first + i] = largest + __builtin_logf(sum);
        }
        product<Left::rows>(count, f.vectors, f.n, scores, f.row, v, f.channel, weighted, f.channel,
                            false);
        for (std::int64_t i = 0; i < count; ++i) {
            if (f.is_padding(first + i)) continue;
            float* to = arrays.output + f.in_output(first + i);
            for (std::int64_t c = 0; c < f.d; ++c)
                to[c] = weighted[i * f.channel + c] * inverse_sum[i];
        }
    }
}

/// Copies d_output of all tokens into rows (0 at padding) and its product with output into `dots`.
void gather_result(const Frame& f, const BackwardArrays& arrays, float* rows, float* dots) {
    for (std::int64_t i = 0; i < f.n; ++i) {
        float* to = rows + i * f.channel;
        float dot = 0;
        if (f.is_padding(i)) {
            for (std::int64_t c = 0; c < f.vectors; ++c) to[c] = 0;
        } else {
            const float* gradient = arrays.d_output + f.in_output(i);
            const float* output = arrays.output + f.in_output(i);
            for (std::int64_t c = 0; c < f.d; ++c) {
                to[c] = gradient[c];
                dot += gradient[c] * output[c];
            }
            for (std::int64_t c = f.d; c < f.vectors; ++c) to[c] = 0;
        }
        dots[i] = dot;
    }
}

/// Writes gradients of one part of all tokens, times `factor`; those of padding are added up.
void scatter(const Frame& f, const float* rows, Part part, float factor, std::int64_t first,
             std::int64_t count, const BackwardArrays& arrays) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float* from = rows + i * f.channel;
        if (f.is_padding(first + i)) {
            float* to = arrays.d_padding + part * f.d;
            for (std::int64_t c = 0; c < f.d; ++c) to[c] += factor * from[c];
        } else {
            float* to = arrays.d_qkv + f.in_qkv(first + i, part);
            for (std::int64_t c = 0; c < f.d; ++c) to[c] = factor * from[c];
        }
    }
}

/// Turns d(probabilities) into d(scores) and adds them to the gradient of the bias.
EDGELOOP_INLINE void score_gradient(const Frame& f, const float* probabilities, float dot,
                                    float* gradient, float* d_bias) {
    const Vec dots = broadcast(dot);
    for (std::int64_t j = 0; j < f.scores; j += width) {
        const Vec value = load(probabilities + j) * (load(gradient + j) - dots);
        store(gradient + j, value);
        store(d_bias + j, load(d_bias + j) + value);
    }
}

void backward(const AttentionShape& shape, const WindowIndex& at, const BackwardArrays& arrays,
              float* scratch) {
    const NoDenormals no_denormals;
    const Frame f(shape, at);
    Arena arena(scratch);
    float* q = arena.take(f.n * f.channel);
    float* k = arena.take(f.n * f.channel);
    float* v = arena.take(f.n * f.channel);
    float* k_columns = arena.take(f.d * f.row);
    float* v_columns = arena.take(f.d * f.row);
    float* d_out = arena.take(f.n * f.channel);
    float* dots = arena.take(f.n);
    float* d_k = arena.take(f.n * f.channel);
    float* d_v = arena.take(f.n * f.channel);
    float* d_q = arena.take(strip * f.channel);
    float* probabilities = arena.take(strip * f.row);
    float* d_scores = arena.take(strip * f.row);
    float* penalties = arena.take(edgeloop::kernels::max_regions * f.row);
    gather(f, arrays.qkv, arrays.padding, queries, shape.scale, q);
    gather(f, arrays.qkv, arrays.padding, keys, 1, k);
    gather(f, arrays.qkv, arrays.padding, values, 1, v);
    gather_result(f, arrays, d_out, dots);
    transpose(f, k, k_columns);
    transpose(f, v, v_columns);
    fill_penalties(f, penalties);

    for (std::int64_t first = 0; first < f.n; first += strip) {
        const std::int64_t count = f.n - first < strip ? f.n - first : strip;
        const float* strip_q = q + first * f.channel;
        const float* strip_d_out = d_out + first * f.channel;
        product<Left::rows>(count, f.scores, f.d, strip_q, f.channel, k_columns, f.row,
                            probabilities, f.row, false);
        product<Left::rows>(count, f.scores, f.d, strip_d_out, f.channel, v_columns, f.row,
                            d_scores, f.row, false);
        for (std::int64_t i = 0; i < count; ++i) {
            float* row = probabilities + i * f.row;
            static_cast<void>(add_bias(f, first + i, penalties, row));
            static_cast<void>(exponentiate(f, arrays.log_sum[f.log_sum_offset + first + i], row));
            score_gradient(f, row, dots[first + i], d_scores + i * f.row,
                           arrays.d_bias + (first + i) * f.row);
        }
        const bool add = first > 0;
        product<Left::columns>(f.n, f.vectors, count, probabilities, f.row, strip_d_out, f.channel,
                               d_v, f.channel, add);
        product<Left::columns>(f.n, f.vectors, count, d_scores, f.row, strip_q, f.channel, d_k,
                               f.channel, add);
        product<Left::rows>(count, f.vectors, f.n, d_scores, f.row, k, f.channel, d_q, f.channel,
                            false);
        scatter(f, d_q, queries, shape.scale, first, count, arrays);
    }
    scatter(f, d_k, keys, 1, 0, f.n, arrays);
    scatter(f, d_v, values, 1, 0, f.n, arrays);
}

std::int64_t scratch_size(const AttentionShape& shape) {
    const std::int64_t channel = edgeloop::row_stride(shape.head_dim);
    const std::int64_t row = edgeloop::row_stride(shape.window_tokens);
    const std::int64_t tokens = shape.window_tokens * channel;
    const std::int64_t columns = shape.head_dim * row;
    const std::int64_t strips = strip * (2 * row + channel);
    return 6 * tokens + 2 * columns + strips + (1 + edgeloop::kernels::max_regions) * row;
}

}  // namespace
