#include "model/kernels/attention_kernels.hpp"
#include "model/parallel_tasks.hpp"
#include "model/window_attention.hpp"

#include <algorithm>
#include <cmath>

#include <torch/csrc/autograd/custom_function.h>

namespace edgeloop {
namespace {

using kernels::AttentionShape;

/// Backward tasks to aim for: enough to balance many cores; never depends on how many there are, so
/// that sums are formed in the same order on every machine.
constexpr std::int64_t backward_tasks = 64;

/// One buffer of floats for each thread, aligned for vectors: LibTorch's memory begins so.
class Scratch {
  public:
    explicit Scratch(std::int64_t size)
        : buffer_(torch::empty({omp_get_max_threads(), row_stride(size)})) {}
    [[nodiscard]] float* of(int thread) const {
        return buffer_.data_ptr<float>() + thread * buffer_.size(1);
    }

  private:
    torch::Tensor buffer_;
};

/// Everything one call needs besides its tensors.
class Problem {
  public:
    Problem(const WindowGeometry& geometry, const torch::Tensor& qkv, const torch::Tensor& table)
        : codes_(geometry.position_codes()),
          code_offset_(geometry.code_offset()),
          clips_(qkv.size(0)) {
        shape_.heads = table.size(1);
        shape_.head_dim = qkv.size(4) / 3 / shape_.heads;
        shape_.clip_tokens = geometry.tokens();
        shape_.windows = geometry.windows();
        shape_.window_tokens = geometry.window_tokens();
        shape_.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(shape_.head_dim)));
        lay_out(geometry);
        expand_bias(table);
    }
    Problem(const Problem&) = delete;
    Problem& operator=(const Problem&) = delete;

    [[nodiscard]] const AttentionShape& shape() const { return shape_; }
    [[nodiscard]] std::int64_t all_windows() const { return clips_ * shape_.windows; }

    /// Adds the gradient of a head's expanded bias (N, row_stride(N)) to its table column.
    void fold_bias(const float* d_bias, float* d_column) const {
        const std::int64_t n = shape_.window_tokens;
        for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j < n; ++j)
                d_column[row_of(i, j)] += d_bias[i * row_stride(n) + j];
    }

  private:
    [[nodiscard]] std::int64_t row_of(std::int64_t i, std::int64_t j) const {
        return codes_[static_cast<std::size_t>(i)] - codes_[static_cast<std::size_t>(j)] +
               code_offset_;
    }

    void lay_out(const WindowGeometry& g) {
        token_.reserve(static_cast<std::size_t>(g.windows() * g.window_tokens()));
        for (std::int64_t t0 = 0; t0 < g.padded[0]; t0 += g.window[0])
            for (std::int64_t h0 = 0; h0 < g.padded[1]; h0 += g.window[1])
                for (std::int64_t w0 = 0; w0 < g.padded[2]; w0 += g.window[2])
                    for (std::int64_t t = t0; t < t0 + g.window[0]; ++t)
                        for (std::int64_t h = h0; h < h0 + g.window[1]; ++h)
                            for (std::int64_t w = w0; w < w0 + g.window[2]; ++w)
                                add_place(g, {t, h, w});
        shape_.token = token_.data();
        shape_.region = region_.empty() ? nullptr : region_.data();
    }
    void add_place(const WindowGeometry& g, const Grid3& place) {
        std::int64_t token = 0;
        bool is_padding = false;
        int region = 0;
        for (std::size_t d = 0; d < 3; ++d) {
            const std::int64_t position = (place[d] + g.shift[d]) % g.padded[d];
            is_padding |= position >= g.grid[d];
            token = token * g.grid[d] + position;
            region = region * 3 + g.region(static_cast<int>(d), place[d]);
        }
        token_.push_back(is_padding ? -1 : static_cast<std::int32_t>(token));
        if (g.is_shifted()) region_.push_back(static_cast<std::uint8_t>(region));
    }

    /// Looks the bias of every pair up. (rows, heads) -> (heads, N, row_stride(N)).
    void expand_bias(const torch::Tensor& table) {
        const std::int64_t n = shape_.window_tokens;
        const torch::Tensor columns = table.t().contiguous();
        bias_ = torch::empty({shape_.heads, n, row_stride(n)});
        float* bias = bias_.data_ptr<float>();
        const float* column = columns.data_ptr<float>();
        const std::int64_t rows = table.size(0);
        for_each_task(shape_.heads * n, [&](std::int64_t task, int) {
            constexpr float far_below_any_score = -1e30f;
            const float* from = column + task / n * rows;
            float* to = bias + task * row_stride(n);
            for (std::int64_t j = 0; j < n; ++j) to[j] = from[row_of(task % n, j)];
            std::fill(to + n, to + row_stride(n), far_below_any_score);
        });
        shape_.bias = bias;
    }

    // Where each place of each window comes from. Shape of both (windows, N).
    std::vector<std::int32_t> token_;   ///< -1 at padding
    std::vector<std::uint8_t> region_;  ///< empty when the grid is not shifted
    std::vector<std::int32_t> codes_;
    std::int32_t code_offset_;
    std::int64_t clips_;
    torch::Tensor bias_;
    AttentionShape shape_;
};

/// @param log_sum  is set for the backward pass; null when there will be none.
torch::Tensor run_forward(const torch::Tensor& qkv, const torch::Tensor& padding,
                          const torch::Tensor& table, const WindowGeometry& geometry,
                          torch::Tensor* log_sum) {
    const Problem problem(geometry, qkv, table);
    const AttentionShape& shape = problem.shape();
    const kernels::AttentionKernels& kernel = kernels::attention_kernels();
    std::vector<std::int64_t> sizes = qkv.sizes().vec();
    sizes.back() /= 3;
    const torch::Tensor output = torch::empty(sizes);
    kernels::ForwardArrays arrays;
    arrays.qkv = qkv.data_ptr<float>();
    arrays.padding = padding.data_ptr<float>();
    arrays.output = output.data_ptr<float>();
    if (log_sum != nullptr) {
        *log_sum = torch::empty({qkv.size(0), shape.windows, shape.heads, shape.window_tokens});
        arrays.log_sum = log_sum->data_ptr<float>();
    }
    const Scratch scratch(kernel.scratch_size(shape));
    // Windows of one head follow each other, so that its bias stays in cache.
    const std::int64_t windows = problem.all_windows();
    for_each_task(shape.heads * windows, [&](std::int64_t task, int thread) {
        const std::int64_t window = task % windows;
        kernel.forward(shape, {window / shape.windows, window % shape.windows, task / windows},
                       arrays, scratch.of(thread));
    });
    return output;
}

/// Gradients of qkv, padding and table.
torch::autograd::tensor_list run_backward(const torch::Tensor& d_output, const torch::Tensor& qkv,
                                          const torch::Tensor& padding, const torch::Tensor& table,
                                          const torch::Tensor& output, const torch::Tensor& log_sum,
                                          const WindowGeometry& geometry) {
    const Problem problem(geometry, qkv, table);
    const AttentionShape& shape = problem.shape();
    const kernels::AttentionKernels& kernel = kernels::attention_kernels();
    const std::int64_t windows = problem.all_windows();
    const std::int64_t chunks = std::clamp<std::int64_t>(backward_tasks / shape.heads, 1, windows);
    const std::int64_t bias_size = shape.window_tokens * row_stride(shape.window_tokens);

    const torch::Tensor d_qkv = torch::empty_like(qkv);
    // Each task has sums of its own, added up in the order of tasks below.
    const torch::Tensor d_columns = torch::zeros({shape.heads, chunks, table.size(0)});
    const torch::Tensor d_paddings = torch::zeros({shape.heads, chunks, 3, shape.head_dim});
    kernels::BackwardArrays shared;
    shared.qkv = qkv.data_ptr<float>();
    shared.padding = padding.data_ptr<float>();
    shared.output = output.data_ptr<float>();
    shared.log_sum = log_sum.data_ptr<float>();
    shared.d_output = d_output.data_ptr<float>();
    shared.d_qkv = d_qkv.data_ptr<float>();
    float* const columns = d_columns.data_ptr<float>();
    float* const paddings = d_paddings.data_ptr<float>();
    const std::int64_t table_rows = table.size(0);
    const Scratch scratch(kernel.scratch_size(shape));
    const Scratch bias_sums(bias_size);
    for_each_task(shape.heads * chunks, [&](std::int64_t task, int thread) {
        kernels::BackwardArrays arrays = shared;
        arrays.d_padding = paddings + task * 3 * shape.head_dim;
        arrays.d_bias = bias_sums.of(thread);
        std::fill_n(arrays.d_bias, bias_size, 0.0f);
        const std::int64_t chunk = task % chunks;
        for (std::int64_t w = windows * chunk / chunks; w < windows * (chunk + 1) / chunks; ++w)
            kernel.backward(shape, {w / shape.windows, w % shape.windows, task / chunks}, arrays,
                            scratch.of(thread));
        problem.fold_bias(arrays.d_bias, columns + task * table_rows);
    });
    return {d_qkv, d_paddings.sum(1).transpose(0, 1).reshape({-1}),
            d_columns.sum(1).t().contiguous()};
}

class WindowAttention : public torch::autograd::Function<WindowAttention> {
  public:
    static torch::Tensor forward(torch::autograd::AutogradContext* context,
                                 const torch::Tensor& qkv, const torch::Tensor& padding,
                                 const torch::Tensor& table, const WindowGeometry& geometry) {
        torch::Tensor log_sum;
        const torch::Tensor output = run_forward(qkv, padding, table, geometry, &log_sum);
        context->save_for_backward({qkv, padding, table, output, log_sum});
        const auto& [t, h, w] = geometry.full_window;
        context->saved_data["grid"] =
            std::vector<std::int64_t>(geometry.grid.begin(), geometry.grid.end());
        context->saved_data["window"] = std::vector<std::int64_t>{t, h, w};
        context->saved_data["shifted"] = geometry.is_shifted();
        return output;
    }

    static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::tensor_list& d_output) {
        const auto saved = context->get_saved_variables();
        const auto grid = context->saved_data["grid"].toIntVector();
        const auto window = context->saved_data["window"].toIntVector();
        const WindowGeometry geometry = window_geometry(
            {grid[0], grid[1], grid[2]}, {int(window[0]), int(window[1]), int(window[2])},
            context->saved_data["shifted"].toBool());
        torch::autograd::tensor_list gradients = run_backward(
            d_output[0].contiguous(), saved[0], saved[1], saved[2], saved[3], saved[4], geometry);
        gradients.emplace_back();  // of the geometry
        return gradients;
    }
};

}  // namespace

torch::Tensor fused_window_attention(const torch::Tensor& qkv, const torch::Tensor& padding,
                                     const torch::Tensor& table, const WindowGeometry& geometry) {
    const torch::Tensor dense = qkv.contiguous();
    if (!torch::GradMode::is_enabled())
        return run_forward(dense, padding, table, geometry, nullptr);
    return WindowAttention::apply(dense, padding.contiguous(), table, geometry);
}

}  // namespace edgeloop
