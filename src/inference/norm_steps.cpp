#include "inference/steps.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace edgeloop::inference {
namespace {

/// `list` over and over, for so many positions; it may be the first of them.
void repeat(const float* list, int channels, int positions, float* out) {
    for (int p = list == out ? 1 : 0; p < positions; ++p)
        std::memcpy(out + std::ptrdiff_t{p} * channels, list,
                    static_cast<std::size_t>(channels) * sizeof(float));
}

/// Takes the moments of what no convolution made.
class MomentStep final : public Step {
  public:
    MomentStep(const Kernels& kernels, const Place& input, Moments& moments)
        : kernels_(kernels), input_(input), moments_(moments) {
        moments.set(tasks(), input.shape.channels);
    }
    [[nodiscard]] int tasks() const override { return input_.shape.grid[0]; }
    [[nodiscard]] std::size_t scratch_bytes() const override {
        return MomentTaker::scratch_bytes(input_.shape.grid[2], input_.shape.channels);
    }
    void run(int task, std::byte* scratch, const Times&) const override {
        MomentTaker taker(kernels_, moments_, task, input_.shape.grid[2], scratch);
        for (int h = 0; h < input_.shape.grid[1]; ++h)
            taker.take(input_.real(task, h), input_.shape.grid[2]);
        taker.finish();
    }

  private:
    const Kernels& kernels_;
    Place input_;
    Moments& moments_;
};

/// Scale and shift of each element of a row, from moments.
class NormTables final : public Step {
  public:
    NormTables(const Layer& layer, const Place& input, std::shared_ptr<Moments> moments)
        : layer_(layer),
          channels_(input.shape.channels),
          positions_(input.shape.grid[2]),
          moments_(std::move(moments)),
          scales_(static_cast<std::size_t>(input.row_elements())),
          shifts_(scales_.size()) {}

    [[nodiscard]] int tasks() const override { return 1; }

    void run(int, std::byte*, const Times&) const override {
        const int width = channels_ / layer_.groups;
        for (int group = 0; group < layer_.groups; ++group)
            make_group(static_cast<std::size_t>(group * width), static_cast<std::size_t>(width));
        repeat(scales_.data(), channels_, positions_, scales_.data());
        repeat(shifts_.data(), channels_, positions_, shifts_.data());
    }

    [[nodiscard]] const float* scales() const { return scales_.data(); }
    [[nodiscard]] const float* shifts() const { return shifts_.data(); }

  private:
    /// Moments of several samples together.
    /// Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing
    /// sample variances", 1979.
    void make_group(std::size_t first, std::size_t width) const {
        const auto channels = static_cast<std::size_t>(channels_);
        const auto visit = [&](const auto& body) {
            for (std::size_t task = 0; task < moments_->positions.size(); ++task)
                for (std::size_t c = first; c < first + width; ++c)
                    body(static_cast<double>(moments_->positions[task]),
                         moments_->means[task * channels + c],
                         moments_->squares[task * channels + c]);
        };
        double count = 0, sum = 0, squares = 0;
        visit([&](double n, double mean, double) {
            count += n;
            sum += n * mean;
        });
        const double mean = sum / count;
        visit([&](double n, double part, double square) {
            squares += square + n * (part - mean) * (part - mean);
        });
        const double inverse = 1 / std::sqrt(squares / count + double(layer_.epsilon));
        for (std::size_t c = first; c < first + width; ++c) {
            scales_[c] = static_cast<float>(double(layer_.weights[c]) * inverse);
            shifts_[c] = static_cast<float>(double(layer_.bias[c]) -
                                            mean * double(layer_.weights[c]) * inverse);
        }
    }

    const Layer& layer_;
    int channels_, positions_;
    std::shared_ptr<Moments> moments_;
    mutable std::vector<float> scales_, shifts_;
};

class NormStep final : public Step {
  public:
    NormStep(const Kernels& kernels, NormSettings settings, const NormTables& tables)
        : kernels_(kernels),
          s_(std::move(settings)),
          tables_(tables),
          pool_(kernels, s_.output, s_.pool) {}

    [[nodiscard]] int tasks() const override {
        return s_.output.shape.grid[0] * s_.output.shape.grid[1];
    }
    [[nodiscard]] std::size_t scratch_bytes() const override {
        return static_cast<std::size_t>(pool_.rows() + 1) * pool_.row_bytes();
    }

    void run(int task, std::byte* scratch, const Times&) const override {
        const int t = task / s_.output.shape.grid[1], h = task % s_.output.shape.grid[1];
        if (s_.pool == Triple{1, 1, 1}) {
            const int count = s_.output.row_elements();
            float* const out = s_.output.real(t, h);
            run_row(t, h, out, count);
            if (s_.addend != nullptr)
                kernels_.add(out, out, s_.addend->real(t, h), count, s_.adds_relu);
            return;
        }
        const int count = pool_.positions() * s_.output.shape.channels;
        for (int i = 0; i < pool_.rows(); ++i)
            run_row(
                t * s_.pool[0] + i / s_.pool[1], h * s_.pool[1] + i % s_.pool[1],
                reinterpret_cast<float*>(scratch + static_cast<std::size_t>(i) * pool_.row_bytes()),
                count);
        pool_.run(scratch, t, h,
                  scratch + static_cast<std::size_t>(pool_.rows()) * pool_.row_bytes());
    }

  private:
    void run_row(int t, int h, float* out, int count) const {
        kernels_.affine(out, s_.input.real(t, h), tables_.scales(), tables_.shifts(), count,
                        s_.layer->activation);
    }

    const Kernels& kernels_;
    NormSettings s_;
    const NormTables& tables_;
    RowPool pool_;
};

/// Sums of frames, then of all.
struct FrameSums {
    std::vector<double> real;  ///< (frames, channels)
    std::vector<std::int32_t> integers;
};

class FrameSumStep final : public Step {
  public:
    FrameSumStep(const Kernels& kernels, const Place& input, std::shared_ptr<FrameSums> sums)
        : kernels_(kernels), input_(input), sums_(std::move(sums)) {
        const auto size = static_cast<std::size_t>(tasks() * input.shape.channels);
        sums_->real.resize(size);
        sums_->integers.resize(size);
    }
    [[nodiscard]] int tasks() const override { return input_.shape.grid[0]; }
    [[nodiscard]] std::size_t scratch_bytes() const override {
        return static_cast<std::size_t>(input_.row_elements()) * 4 + slack_bytes;
    }
    void run(int task, std::byte* scratch, const Times&) const override {
        if (input_.elements.are_real())
            sum_up(reinterpret_cast<float*>(scratch), task, sums_->real.data(),
                   [&](float* sums, int h, int count) {
                       kernels_.real_sum(sums, input_.real(task, h), count);
                   });
        else
            sum_up(reinterpret_cast<std::int32_t*>(scratch), task, sums_->integers.data(),
                   [&](std::int32_t* sums, int h, int count) {
                       kernels_.byte_sum(sums, input_.bytes_at(task, h), count);
                   });
    }

  private:
    template <class Value, class Total, class Add>
    void sum_up(Value* row, int task, Total* totals, const Add& add) const {
        const int count = input_.row_elements(), channels = input_.shape.channels;
        std::fill_n(row, count, Value{});
        for (int h = 0; h < input_.shape.grid[1]; ++h) add(row, h, count);
        Total* const out = totals + std::ptrdiff_t{task} * channels;
        for (int c = 0; c < channels; ++c) {
            Total total{};
            for (int i = c; i < count; i += channels) total += static_cast<Total>(row[i]);
            out[c] = total;
        }
    }

    const Kernels& kernels_;
    Place input_;
    std::shared_ptr<FrameSums> sums_;
};

class MeanStep final : public Step {
  public:
    MeanStep(const Layer& layer, const Place& input, const Place& output,
             std::shared_ptr<FrameSums> sums)
        : layer_(layer), input_(input), output_(output), sums_(std::move(sums)) {}
    [[nodiscard]] int tasks() const override { return 1; }
    void run(int, std::byte*, const Times&) const override {
        const auto channels = static_cast<std::size_t>(input_.shape.channels);
        for (std::size_t c = 0; c < channels; ++c) {
            double real = 0;
            std::int32_t integer = 0;
            for (std::size_t i = c; i < sums_->real.size(); i += channels) {
                real += sums_->real[i];
                integer += sums_->integers[i];
            }
            if (input_.elements.are_real())
                output_.real(0, 0)[c] =
                    static_cast<float>(real / static_cast<double>(input_.shape.positions()));
            else if (const Quantisation& to = layer_.integer; to.output_bits == 0)
                output_.real(0, 0)[c] = output_value(integer, to.scales[c]);
            else
                output_.bytes_at(0, 0)[c] = requantise(integer, to.ratios[c], to.output_bits);
        }
    }

  private:
    const Layer& layer_;
    Place input_, output_;
    std::shared_ptr<FrameSums> sums_;
};

}  // namespace

void Moments::set(int tasks, int channel_count) {
    channels = channel_count;
    positions.assign(static_cast<std::size_t>(tasks), 0);
    means.assign(positions.size() * static_cast<std::size_t>(channels), 0);
    squares = means;
}

MomentTaker::MomentTaker(const Kernels& kernels, Moments& moments, int task, int row_positions,
                         std::byte* scratch)
    : kernels_(kernels), moments_(moments), task_(task), row_positions_(row_positions) {
    const std::ptrdiff_t count = std::ptrdiff_t{row_positions} * moments.channels;
    origin_ = reinterpret_cast<float*>(scratch);
    sums_ = origin_ + count;
    squares_ = sums_ + count;
    std::fill_n(sums_, 2 * count, 0.0F);
}

std::size_t MomentTaker::scratch_bytes(int row_positions, int channels) {
    return 3 * sizeof(float) * static_cast<std::size_t>(row_positions) *
               static_cast<std::size_t>(channels) +
           slack_bytes;
}

void MomentTaker::take(const float* row, int positions) {
    // The first position stands for the mean, so that little cancels.
    if (count_ == 0) repeat(row, moments_.channels, row_positions_, origin_);
    kernels_.moments(row, origin_, sums_, squares_, positions * moments_.channels);
    count_ += positions;
}

void MomentTaker::finish() {
    const int channels = moments_.channels;
    const std::ptrdiff_t count = std::ptrdiff_t{row_positions_} * channels;
    const auto n = static_cast<double>(count_);
    moments_.positions[static_cast<std::size_t>(task_)] = count_;
    for (int c = 0; c < channels; ++c) {
        double sum = 0, squares = 0;
        for (std::ptrdiff_t i = c; i < count; i += channels) {
            sum += double(sums_[i]);
            squares += double(squares_[i]);
        }
        const auto place = static_cast<std::size_t>(task_ * channels + c);
        moments_.means[place] = double(origin_[c]) + sum / n;
        moments_.squares[place] = std::max(0.0, squares - sum * sum / n);
    }
}

void add_norm_steps(Steps& steps, const Kernels& kernels, NormSettings settings) {
    if (settings.takes_moments)
        steps.push_back(std::make_unique<MomentStep>(kernels, settings.input, *settings.moments));
    auto tables = std::make_unique<NormTables>(*settings.layer, settings.input, settings.moments);
    auto norm = std::make_unique<NormStep>(kernels, std::move(settings), *tables);
    steps.push_back(std::move(tables));
    steps.push_back(std::move(norm));
}

void add_mean_steps(Steps& steps, const Kernels& kernels, const Layer& layer, const Place& input,
                    const Place& output) {
    auto sums = std::make_shared<FrameSums>();
    steps.push_back(std::make_unique<FrameSumStep>(kernels, input, sums));
    steps.push_back(std::make_unique<MeanStep>(layer, input, output, sums));
}

}  // namespace edgeloop::inference
