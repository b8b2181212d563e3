#include "model/depthwise_conv3d.hpp"

#include "model/parallel_tasks.hpp"

#include <algorithm>

#include <torch/csrc/autograd/custom_function.h>

// The same loops for several instruction sets, chosen when the program starts. Sanitizers cannot
// bear that early choice.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define EDGELOOP_INSTRUCTION_SETS \
    __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define EDGELOOP_INSTRUCTION_SETS
#endif

/// Compiled with the instruction set of the function it stands in.
#define EDGELOOP_PART_OF_CALLER __attribute__((always_inline))

namespace edgeloop {
namespace {

struct Shape {
    std::int64_t batch = 0, channels = 0;
    Grid3 input{}, output{}, kernel{}, stride{};
};

Shape shape_of(const torch::Tensor& x, const torch::Tensor& weight, const Grid3& stride) {
    Shape shape;
    shape.batch = x.size(0);
    shape.channels = x.size(1);
    shape.stride = stride;
    for (std::size_t d = 0; d < 3; ++d) {
        shape.input[d] = x.size(static_cast<std::int64_t>(d) + 2);
        shape.kernel[d] = weight.size(static_cast<std::int64_t>(d) + 2);
        shape.output[d] = ceil_divide(shape.input[d], stride[d]);
    }
    return shape;
}

/// Calls body(tap, input offset, output offset, count) for every tap and every row of output that
/// it reaches: output[offset + i] meets input[offset + i * stride] for i < count.
template <class Body>
inline EDGELOOP_PART_OF_CALLER void for_each_row(const Shape& s, const Body& body) {
    const auto& [kt, kh, kw] = s.kernel;
    for (std::int64_t t = 0; t < s.output[0]; ++t)
        for (std::int64_t h = 0; h < s.output[1]; ++h)
            for (std::int64_t a = 0; a < kt; ++a)
                for (std::int64_t b = 0; b < kh; ++b) {
                    const std::int64_t from_t = t * s.stride[0] - kt / 2 + a;
                    const std::int64_t from_h = h * s.stride[1] - kh / 2 + b;
                    if (from_t < 0 || from_t >= s.input[0] || from_h < 0 || from_h >= s.input[1])
                        continue;
                    for (std::int64_t c = 0; c < kw; ++c) {
                        const std::int64_t shift = c - kw / 2, step = s.stride[2];
                        const std::int64_t first = shift < 0 ? ceil_divide(-shift, step) : 0;
                        const std::int64_t end =
                            std::min(s.output[2], ceil_divide(s.input[2] - shift, step));
                        if (first >= end) continue;
                        body((a * kh + b) * kw + c,
                             (from_t * s.input[1] + from_h) * s.input[2] + first * step + shift,
                             (t * s.output[1] + h) * s.output[2] + first, end - first);
                    }
                }
}

EDGELOOP_INSTRUCTION_SETS
void convolve(const Shape& s, const float* x, const float* weight, float* y) {
    std::fill_n(y, volume(s.output), 0.0f);
    const std::int64_t step = s.stride[2];
    for_each_row(s, [&](std::int64_t tap, std::int64_t in, std::int64_t out, std::int64_t count)
                        EDGELOOP_PART_OF_CALLER {
                            const float factor = weight[tap];
                            const float* from = x + in;
                            float* to = y + out;
                            if (step == 1)
                                for (std::int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
                            else
                                for (std::int64_t i = 0; i < count; ++i)
                                    to[i] += factor * from[i * step];
                        });
}

EDGELOOP_INSTRUCTION_SETS
void input_gradient(const Shape& s, const float* d_y, const float* weight, float* d_x) {
    std::fill_n(d_x, volume(s.input), 0.0f);
    const std::int64_t step = s.stride[2];
    for_each_row(s, [&](std::int64_t tap, std::int64_t in, std::int64_t out, std::int64_t count)
                        EDGELOOP_PART_OF_CALLER {
                            const float factor = weight[tap];
                            const float* from = d_y + out;
                            float* to = d_x + in;
                            if (step == 1)
                                for (std::int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
                            else
                                for (std::int64_t i = 0; i < count; ++i)
                                    to[i * step] += factor * from[i];
                        });
}

/// Adds to d_weight.
EDGELOOP_INSTRUCTION_SETS
void weight_gradient(const Shape& s, const float* x, const float* d_y, float* d_weight) {
    const std::int64_t step = s.stride[2];
    for_each_row(s, [&](std::int64_t tap, std::int64_t in, std::int64_t out, std::int64_t count)
                        EDGELOOP_PART_OF_CALLER {
                            const float* left = x + in;
                            const float* right = d_y + out;
                            float sum = 0;
#pragma omp simd reduction(+ : sum)
                            for (std::int64_t i = 0; i < count; ++i)
                                sum += left[i * step] * right[i];
                            d_weight[tap] += sum;
                        });
}

torch::Tensor run_forward(const torch::Tensor& x, const torch::Tensor& weight,
                          const Grid3& stride) {
    const Shape s = shape_of(x, weight, stride);
    torch::Tensor y =
        torch::empty({s.batch, s.channels, s.output[0], s.output[1], s.output[2]}, x.options());
    const float* from = x.data_ptr<float>();
    const float* weights = weight.data_ptr<float>();
    float* to = y.data_ptr<float>();
    for_each_task(s.batch * s.channels, [&](std::int64_t map, int) {
        convolve(s, from + map * volume(s.input), weights + map % s.channels * volume(s.kernel),
                 to + map * volume(s.output));
    });
    return y;
}

class DepthwiseConv3d : public torch::autograd::Function<DepthwiseConv3d> {
  public:
    static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                                 const torch::Tensor& weight, const Grid3& stride) {
        context->save_for_backward({x, weight});
        context->saved_data["stride"] = std::vector<std::int64_t>(stride.begin(), stride.end());
        return run_forward(x, weight, stride);
    }

    static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::tensor_list& d_output) {
        const auto saved = context->get_saved_variables();
        const auto stride = context->saved_data["stride"].toIntVector();
        const Shape s = shape_of(saved[0], saved[1], {stride[0], stride[1], stride[2]});
        const torch::Tensor d_y = d_output[0].contiguous();
        torch::Tensor d_x = torch::empty_like(saved[0]);
        torch::Tensor d_weight = torch::zeros_like(saved[1]);
        const float* x = saved[0].data_ptr<float>();
        const float* weight = saved[1].data_ptr<float>();
        const float* from = d_y.data_ptr<float>();
        float* to = d_x.data_ptr<float>();
        float* weights = d_weight.data_ptr<float>();
        for_each_task(s.channels, [&](std::int64_t channel, int) {
            for (std::int64_t clip = 0; clip < s.batch; ++clip) {
                const std::int64_t map = clip * s.channels + channel;
                input_gradient(s, from + map * volume(s.output),
                               weight + channel * volume(s.kernel), to + map * volume(s.input));
                weight_gradient(s, x + map * volume(s.input), from + map * volume(s.output),
                                weights + channel * volume(s.kernel));
            }
        });
        return {d_x, d_weight, torch::Tensor()};
    }
};

}  // namespace

torch::Tensor depthwise_conv3d(const torch::Tensor& x, const torch::Tensor& weight,
                               const Extent3& stride) {
    const Grid3 steps{stride[0], stride[1], stride[2]};
    if (!x.device().is_cpu() || x.scalar_type() != torch::kFloat)
        return torch::conv3d(x, weight, {}, steps,
                             {weight.size(2) / 2, weight.size(3) / 2, weight.size(4) / 2},
                             {1, 1, 1}, x.size(1));
    if (!torch::GradMode::is_enabled()) return run_forward(x.contiguous(), weight, steps);
    return DepthwiseConv3d::apply(x.contiguous(), weight, steps);
}

torch::Tensor depthwise_by_frames(const torch::Tensor& x, const torch::Tensor& weight,
                                  const Extent3& stride) {
    const std::int64_t channels = x.size(1), taps = weight.size(2), step = stride[0];
    const std::int64_t frames = (x.size(2) + step - 1) / step;
    const torch::Tensor padded =
        taps == 1 ? x : torch::constant_pad_nd(x, {0, 0, 0, 0, taps / 2, taps / 2});
    const torch::Tensor by_frame = padded.transpose(1, 2);  // (B, T, C, H, W)
    torch::Tensor sum;
    for (std::int64_t tap = 0; tap < taps; ++tap) {
        const torch::Tensor seen = by_frame.slice(1, tap, tap + (frames - 1) * step + 1, step)
                                       .reshape({-1, channels, x.size(3), x.size(4)});
        const torch::Tensor part = torch::conv2d(
            seen, weight.select(2, tap), {}, torch::IntArrayRef({stride[1], stride[2]}),
            torch::IntArrayRef({weight.size(3) / 2, weight.size(4) / 2}),
            torch::IntArrayRef({1, 1}), channels);
        sum = tap == 0 ? part : sum + part;
    }
    return sum.reshape({-1, frames, channels, sum.size(2), sum.size(3)})
        .transpose(1, 2)
        .contiguous();
}

}  // namespace edgeloop
