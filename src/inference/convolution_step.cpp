#include "inference/steps.hpp"

#include <algorithm>
#include <cstring>

namespace edgeloop::inference {
namespace {

/// Rows of a convolution's results, before they are pooled.
struct Rows {
    bool are_flat = false;  ///< all positions as one row, cut to pieces of `length`
    std::int64_t count = 0;
    int length = 0;
    std::int64_t positions = 0;  ///< of all, when flat
};

constexpr int flat_length = 96, task_positions = 512;

class ConvolutionStep final : public Step {
  public:
    ConvolutionStep(const Kernels& kernels, ConvolutionSettings settings)
        : kernels_(kernels),
          s_(std::move(settings)),
          pool_(kernels, s_.output, s_.pool),
          is_pooled_(s_.pool != Triple{1, 1, 1}) {
        choose_rows();
        choose_tasks();
        if (s_.moments != nullptr) s_.moments->set(tasks(), s_.output.shape.channels);
    }

    [[nodiscard]] int tasks() const override { return tasks_; }

    [[nodiscard]] std::size_t scratch_bytes() const override {
        return sums_bytes() + slab_bytes() +
               (s_.moments == nullptr
                    ? 0
                    : MomentTaker::scratch_bytes(rows_.length, s_.output.shape.channels));
    }

    void run(int task, std::byte* scratch, const Times& times) const override {
        const std::int64_t first = task * rows_per_task_;
        const std::int64_t end = std::min(first + rows_per_task_, rows_.count);
        auto* const sums = reinterpret_cast<std::int32_t*>(scratch);
        std::byte* const slab = scratch + sums_bytes();
        if (s_.packed.window_factor != 0) sum_windows(first, end, sums, times);
        const int block = std::min(s_.packed.vectors, 4);
        for (int vector = 0; vector < s_.packed.vectors; vector += block)
            for (std::int64_t row = first; row < end; ++row)
                run_row(row, row - first, vector, std::min(block, s_.packed.vectors - vector), sums,
                        slab, times);
        if (is_pooled_) pool(first, end, slab, times);
        if (s_.moments != nullptr) take_moments(task, first, end, slab + slab_bytes());
    }

  private:
    void choose_rows() {
        const Triple& grid = s_.output.shape.grid;
        rows_.are_flat =
            !is_pooled_ && s_.packed.kernel == Triple{1, 1, 1} && s_.stride == Triple{1, 1, 1} &&
            !s_.input.has_padding() && !s_.output.has_padding() &&
            (s_.residual == nullptr || !s_.residual->has_padding()) && s_.packed.window_factor == 0;
        if (rows_.are_flat) {
            rows_.positions = s_.output.shape.positions();
            rows_.length = static_cast<int>(std::min<std::int64_t>(flat_length, rows_.positions));
            rows_.count = (rows_.positions + rows_.length - 1) / rows_.length;
            return;
        }
        rows_.length = grid[2] * s_.pool[2];
        rows_.count = std::int64_t{grid[0]} * grid[1];
    }

    /// Rows are pooled ones.
    void choose_tasks() {
        const std::int64_t positions = std::int64_t{rows_.length} * rows_in_window();
        rows_per_task_ = std::max<std::int64_t>(1, task_positions / positions);
        rows_per_task_ =
            std::min(rows_per_task_, std::max<std::int64_t>(1, rows_.count / s_.least_tasks));
        tasks_ = static_cast<int>((rows_.count + rows_per_task_ - 1) / rows_per_task_);
    }

    [[nodiscard]] int rows_in_window() const { return is_pooled_ ? pool_.rows() : 1; }
    [[nodiscard]] std::size_t sums_bytes() const {
        if (s_.packed.window_factor == 0) return 0;
        const auto bytes =
            static_cast<std::size_t>(rows_per_task_ * rows_in_window() * rows_.length) *
                sizeof(std::int32_t) +
            slack_bytes;
        return (bytes + alignment - 1) / alignment * alignment;
    }
    [[nodiscard]] std::size_t slab_bytes() const {
        if (!is_pooled_) return 0;
        return static_cast<std::size_t>(rows_per_task_ * rows_in_window() + 1) * pool_.row_bytes();
    }

    /// Where the rows of one pooled row begin: visit(index, t, h).
    template <class Visit>
    void for_rows(std::int64_t row, const Visit& visit) const {
        const std::int64_t t = row / s_.output.shape.grid[1], h = row % s_.output.shape.grid[1];
        int index = 0;
        for (int i = 0; i < s_.pool[0]; ++i)
            for (int j = 0; j < s_.pool[1]; ++j)
                visit(index++, t * s_.pool[0] + i, h * s_.pool[1] + j);
    }

    /// First element of the window of a position, from the input's first.
    [[nodiscard]] std::ptrdiff_t window_at(std::int64_t t, std::int64_t h) const {
        return s_.input.element(t * s_.stride[0] - s_.before[0], h * s_.stride[1] - s_.before[1],
                                -s_.before[2]);
    }

    void set_input(RowArguments& row, std::ptrdiff_t element) const {
        const int channels = s_.input.shape.channels;
        row.input_step = std::ptrdiff_t{s_.stride[2]} * channels;
        if (s_.packed.form == Form::bits) {
            const int pitch = plane_bytes(channels);
            row.input_step = std::ptrdiff_t{s_.stride[2]} * pitch;
            row.input = s_.prepared + element / channels * pitch;
            row.input_planes = s_.input.elements.bits;
            row.weight_planes = s_.packed.weight_planes;
            row.input_plane = s_.input_plane;
            row.weight_plane = s_.packed.weight_plane;
        } else if (s_.prepared != nullptr) {
            row.input = s_.prepared + element * std::ptrdiff_t{sizeof(std::int16_t)};
        } else {
            row.input =
                s_.input.memory + element * static_cast<std::ptrdiff_t>(s_.input.element_bytes());
        }
    }

    void set_channels(RowArguments& row, int vector, int vectors) const {
        const PackedConvolution& packed = s_.packed;
        const int channel = vector * kernels_.lanes;
        row.channels = std::min(vectors * kernels_.lanes, s_.output.shape.channels - channel);
        row.weights = packed.vector(vector);
        row.vector_weights = packed.vector_weights;
        row.runs = packed.runs.data();
        row.run_count = static_cast<int>(packed.runs.size());
        row.groups = packed.groups;
        row.room = packed.room;
        row.real_bias = packed.real_bias.data() + channel;
        row.is_relu = s_.is_relu;
        row.bias = packed.bias.data() + channel;
        row.factor = packed.factor;
        row.window_factor = packed.window_factor;
        row.high = s_.high;
        row.multipliers = packed.multipliers.data() + channel;
        row.shifts = packed.shifts.data() + channel;
        row.caps = packed.caps.data() + channel;
        row.residual_multipliers = packed.residual_multipliers.data() + channel;
        row.scales = packed.scales.data() + channel;
    }

    [[nodiscard]] Kernels::Row kernel() const {
        switch (s_.packed.form) {
            case Form::real:
                return kernels_.real_row;
            case Form::integers:
                return kernels_.integer_row;
            case Form::bits:
                return kernels_.bits_row;
            case Form::shorts:
                return kernels_.short_row;
            case Form::real_depthwise:
                return kernels_.real_depthwise;
            case Form::integer_depthwise:
                return kernels_.integer_depthwise;
        }
        return nullptr;
    }

    [[nodiscard]] bool is_needed(std::int64_t row, const Times& times) const {
        return times.has(row / s_.output.shape.grid[1]);
    }

    void run_row(std::int64_t row, std::int64_t index, int vector, int vectors, std::int32_t* sums,
                 std::byte* slab, const Times& times) const {
        if (!rows_.are_flat && !is_needed(row, times)) return;
        RowArguments arguments;
        set_channels(arguments, vector, vectors);
        const int channel = vector * kernels_.lanes;
        const int channels = s_.output.shape.channels;
        // A depthwise kernel reads the same channels as it writes.
        const bool is_depthwise =
            s_.packed.form == Form::real_depthwise || s_.packed.form == Form::integer_depthwise;
        const std::ptrdiff_t from = is_depthwise ? channel : 0;
        const auto bytes = static_cast<std::ptrdiff_t>(s_.output.element_bytes());
        arguments.output_step = channels;
        arguments.positions = rows_.length;
        if (rows_.are_flat) {
            const std::int64_t begin = row * rows_.length;
            const std::int64_t end = std::min(begin + rows_.length, rows_.positions);
            const auto piece = [&](std::int64_t position, std::int64_t after) {
                if (position >= after) return;
                arguments.positions = static_cast<int>(after - position);
                set_input(arguments, position * s_.input.shape.channels + from);
                const std::ptrdiff_t place = position * channels + channel;
                arguments.output = s_.output.memory + place * bytes;
                set_residual(arguments, place);
                kernel()(arguments);
            };
            const std::int64_t plane = rows_.positions / s_.output.shape.grid[0];
            piece(begin, std::min(end, times.head * plane));
            return piece(std::max(begin, times.tail * plane), end);
        }
        for_rows(row, [&](int i, std::int64_t t, std::int64_t h) {
            const std::int64_t line = index * rows_in_window() + i;
            set_input(arguments, window_at(t, h) + from);
            arguments.window_sums = sums + line * rows_.length;
            arguments.output =
                is_pooled_
                    ? slab + line * static_cast<std::ptrdiff_t>(pool_.row_bytes()) + channel * bytes
                    : s_.output.at(t, h) + channel * bytes;
            if (s_.residual != nullptr)
                set_residual(arguments, s_.residual->element(t, h, 0) + channel);
            kernel()(arguments);
        });
    }

    void set_residual(RowArguments& row, std::ptrdiff_t element) const {
        if (s_.residual == nullptr) return;
        row.residual = reinterpret_cast<const std::uint8_t*>(s_.residual->memory) + element;
        row.residual_step = s_.residual->shape.channels;
    }

    /// Sums over whole windows, of those over rows of windows (PreparationSettings::row_sums).
    void sum_windows(std::int64_t first, std::int64_t end, std::int32_t* sums,
                     const Times& times) const {
        const Triple grid = s_.input.padded();
        const int stride = s_.stride[2];
        for (std::int64_t row = first; row < end; ++row)
            for_rows(row, [&](int, std::int64_t t, std::int64_t h) {
                std::int32_t* const own = sums;
                sums += rows_.length;
                if (!is_needed(row, times)) return;
                std::fill_n(own, rows_.length, 0);
                const std::ptrdiff_t begin = window_at(t, h) / s_.input.shape.channels;
                for (int dt = 0; dt < s_.packed.kernel[0]; ++dt)
                    for (int dh = 0; dh < s_.packed.kernel[1]; ++dh) {
                        const std::int32_t* const from =
                            s_.row_sums + begin + (std::ptrdiff_t{dt} * grid[1] + dh) * grid[2];
                        for (int w = 0; w < rows_.length; ++w) own[w] += from[w * stride];
                    }
            });
    }

    void pool(std::int64_t first, std::int64_t end, std::byte* slab, const Times& times) const {
        const auto row_bytes = static_cast<std::ptrdiff_t>(pool_.row_bytes());
        std::byte* const scratch = slab + rows_per_task_ * rows_in_window() * row_bytes;
        for (std::int64_t row = first; row < end; ++row) {
            const auto grid = s_.output.shape.grid;
            if (!is_needed(row, times)) continue;
            pool_.run(slab + (row - first) * rows_in_window() * row_bytes,
                      static_cast<int>(row / grid[1]), static_cast<int>(row % grid[1]), scratch);
        }
    }

    void take_moments(int task, std::int64_t first, std::int64_t end, std::byte* scratch) const {
        MomentTaker taker(kernels_, *s_.moments, task, rows_.length, scratch);
        const std::int64_t h_count = s_.output.shape.grid[1];
        for (std::int64_t row = first; row < end; ++row) {
            if (rows_.are_flat)
                taker.take(s_.output.real(0, 0) + row * rows_.length * s_.output.shape.channels,
                           static_cast<int>(std::min<std::int64_t>(
                               rows_.length, rows_.positions - row * rows_.length)));
            else
                taker.take(s_.output.real(row / h_count, row % h_count), rows_.length);
        }
        taker.finish();
    }

    const Kernels& kernels_;
    ConvolutionSettings s_;
    RowPool pool_;
    bool is_pooled_;
    Rows rows_;
    std::int64_t rows_per_task_ = 1;
    int tasks_ = 1;
};

/// Rows of the padded tensor, each by itself.
class PreparationStep final : public Step {
  public:
    PreparationStep(const Kernels& kernels, PreparationSettings settings)
        : kernels_(kernels), s_(std::move(settings)), grid_(s_.input.padded()) {}

    [[nodiscard]] int tasks() const override { return grid_[0] * grid_[1]; }
    [[nodiscard]] std::size_t scratch_bytes() const override {
        const std::size_t bits = static_cast<std::size_t>(grid_[2] * pitch()) * 8;
        return bits + static_cast<std::size_t>(grid_[2]) * sizeof(std::int32_t) + 2 * slack_bytes;
    }

    void run(int task, std::byte* scratch, const Times& times) const override {
        if (!times.has(task / grid_[1] - s_.input.before[0])) return;
        const int channels = s_.input.shape.channels;
        const std::ptrdiff_t position = std::ptrdiff_t{task} * grid_[2];
        const std::uint8_t* const row =
            reinterpret_cast<const std::uint8_t*>(s_.input.memory) + position * channels;
        if (s_.wide != nullptr)
            kernels_.widen(s_.wide + position * channels, row, grid_[2] * channels);
        if (s_.planes != nullptr) make_planes(row, position, scratch);
        if (s_.row_sums != nullptr)
            make_sums(row, s_.row_sums + position, reinterpret_cast<std::int32_t*>(scratch));
    }

  private:
    [[nodiscard]] int pitch() const { return plane_bytes(s_.input.shape.channels); }

    void make_planes(const std::uint8_t* row, std::ptrdiff_t position, std::byte* scratch) const {
        const int channels = s_.input.shape.channels, whole = 8 * pitch();
        if (channels != whole) {
            auto* const spaced = reinterpret_cast<std::uint8_t*>(scratch);
            std::memset(spaced, 0, static_cast<std::size_t>(grid_[2] * whole));
            for (int w = 0; w < grid_[2]; ++w)
                std::memcpy(spaced + w * whole, row + w * channels,
                            static_cast<std::size_t>(channels));
            row = spaced;
        }
        for (int bit = 0; bit < s_.input.elements.bits; ++bit)
            kernels_.plane(s_.planes + bit * s_.plane_step + position * pitch(), row,
                           grid_[2] * whole, bit);
    }

    void make_sums(const std::uint8_t* row, std::int32_t* sums, std::int32_t* of_positions) const {
        const int channels = s_.input.shape.channels;
        for (int w = 0; w < grid_[2]; ++w) {
            std::int32_t sum = 0;
            for (int c = 0; c < channels; ++c) sum += row[w * channels + c];
            of_positions[w] = sum;
        }
        const int count = grid_[2] - s_.window + 1;
        std::fill_n(sums, grid_[2], 0);
        for (int k = 0; k < s_.window; ++k)
            for (int w = 0; w < count; ++w) sums[w] += of_positions[w + k];
    }

    const Kernels& kernels_;
    PreparationSettings s_;
    Triple grid_;
};

}  // namespace

std::unique_ptr<Step> convolution_step(const Kernels& kernels, ConvolutionSettings settings) {
    return std::make_unique<ConvolutionStep>(kernels, std::move(settings));
}

std::unique_ptr<Step> preparation_step(const Kernels& kernels, PreparationSettings settings) {
    return std::make_unique<PreparationStep>(kernels, std::move(settings));
}

std::size_t RowPool::row_bytes() const {
    const std::size_t bytes =
        static_cast<std::size_t>(positions() * output_.shape.channels) * output_.element_bytes() +
        slack_bytes;
    return (bytes + alignment - 1) / alignment * alignment;
}

void RowPool::run(std::byte* rows, int t, int h, std::byte* scratch) const {
    const int channels = output_.shape.channels, count = positions() * channels;
    const auto step = static_cast<std::ptrdiff_t>(row_bytes());
    const bool is_real = output_.elements.are_real();
    for (int i = 1; i < this->rows(); ++i) {
        std::byte* const other = rows + i * step;
        if (is_real)
            kernels_.real_max(reinterpret_cast<float*>(rows), reinterpret_cast<float*>(other),
                              count);
        else
            kernels_.byte_max(reinterpret_cast<std::uint8_t*>(rows),
                              reinterpret_cast<std::uint8_t*>(other), count);
    }
    const std::byte* result = rows;
    if (pool_[2] > 1) {
        result = scratch;
        if (is_real)
            kernels_.real_window(reinterpret_cast<float*>(scratch), reinterpret_cast<float*>(rows),
                                 output_.shape.grid[2], pool_[2], channels);
        else
            kernels_.byte_window(reinterpret_cast<std::uint8_t*>(scratch),
                                 reinterpret_cast<std::uint8_t*>(rows), output_.shape.grid[2],
                                 pool_[2], channels);
    }
    std::memcpy(output_.at(t, h), result,
                static_cast<std::size_t>(output_.row_elements()) * output_.element_bytes());
}

}  // namespace edgeloop::inference
