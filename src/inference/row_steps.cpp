#include "inference/steps.hpp"

#include <cstring>

namespace edgeloop::inference {
namespace {

/// A layer that makes each row of its result of the same rows of its inputs.
class RowsStep final : public Step {
  public:
    RowsStep(const Kernels& kernels, const Layer& layer, const Place& input, const Place* second,
             const Place& output)
        : kernels_(kernels),
          layer_(layer),
          input_(input),
          second_(second),
          output_(output),
          pool_(kernels, output_,
                layer.operation == Operation::max_pool ? layer.kernel : Triple{1, 1, 1}) {}

    [[nodiscard]] int tasks() const override {
        return output_.shape.grid[0] * output_.shape.grid[1];
    }
    [[nodiscard]] std::size_t scratch_bytes() const override {
        if (layer_.operation == Operation::max_pool)
            return static_cast<std::size_t>(pool_.rows() + 1) * pool_.row_bytes();
        return static_cast<std::size_t>(output_.row_elements()) * 2 * sizeof(float);
    }

    void run(int task, std::byte* scratch, const Times& times) const override {
        const int t = task / output_.shape.grid[1], h = task % output_.shape.grid[1];
        if (!times.has(t)) return;
        const int count = output_.row_elements();
        auto* const table = reinterpret_cast<float*>(scratch);
        switch (layer_.operation) {
            case Operation::max_pool:
                return run_pool(t, h, scratch);
            case Operation::add:
                return kernels_.add(output_.real(t, h), input_.real(t, h), second_->real(t, h),
                                    count, layer_.activation == Activation::relu);
            case Operation::scale_channels:
                for (int w = 0; w < output_.shape.grid[2]; ++w)
                    std::memcpy(table + w * output_.shape.channels, second_->real(0, 0),
                                static_cast<std::size_t>(output_.shape.channels) * sizeof(float));
                return kernels_.multiply(output_.real(t, h), input_.real(t, h), table, count);
            case Operation::quantise:
                return kernels_.quantise(output_.bytes_at(t, h), input_.real(t, h),
                                         1 / layer_.scale, 0, activation_range(layer_.bits).high,
                                         count);
            case Operation::dequantise:
                return kernels_.dequantise(output_.real(t, h), input_.bytes_at(t, h), layer_.scale,
                                           input_.elements.zero, count);
            default:  // a convolution's activation, in place
                for (int i = 0; i < count; ++i) {
                    table[i] = 1;
                    table[count + i] = 0;
                }
                return kernels_.affine(output_.real(t, h), output_.real(t, h), table, table + count,
                                       count, layer_.activation);
        }
    }

  private:
    void run_pool(int t, int h, std::byte* scratch) const {
        const Triple& k = layer_.kernel;
        const std::size_t bytes =
            static_cast<std::size_t>(pool_.positions() * input_.shape.channels) *
            input_.element_bytes();
        for (int i = 0; i < pool_.rows(); ++i)
            std::memcpy(scratch + static_cast<std::size_t>(i) * pool_.row_bytes(),
                        input_.at(t * k[0] + i / k[1], h * k[1] + i % k[1]), bytes);
        pool_.run(scratch, t, h,
                  scratch + static_cast<std::size_t>(pool_.rows()) * pool_.row_bytes());
    }

    const Kernels& kernels_;
    const Layer& layer_;
    Place input_;
    const Place* second_;
    Place output_;
    RowPool pool_;
};

}  // namespace

std::unique_ptr<Step> rows_step(const Kernels& kernels, const Layer& layer, const Place& input,
                                const Place* second, const Place& output) {
    return std::make_unique<RowsStep>(kernels, layer, input, second, output);
}

}  // namespace edgeloop::inference
