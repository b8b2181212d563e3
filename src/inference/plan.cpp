#include "inference/plan.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include <fmt/format.h>

namespace edgeloop::inference {
namespace {

/// Layers that run as one: a convolution with its max-pool, or a norm with an addition or a
/// max-pool.
struct Unit {
    std::size_t layer = 0;
    int pool = -1, addition = -1;  ///< layers
    std::size_t result = 0;        ///< tensor
};

/// Memory that is needed from one unit to another.
struct Buffer {
    std::size_t bytes = 0;
    std::size_t first = 0, last = 0;  ///< units
    bool is_shared = true;
    std::size_t offset = 0;
};

/// What integer kernels need besides a tensor.
struct Prepared {
    int data = -1, sums = -1;  ///< buffers
    std::ptrdiff_t plane = 0;
};

bool is_weighted(const Layer& layer) {
    return layer.operation == Operation::convolution || layer.operation == Operation::depthwise ||
           layer.operation == Operation::linear;
}

/// 0 where clips have nothing in common.
int stride_of(const Graph& graph, const SessionOptions& options) {
    return options.stride < graph.input.grid[0] ? options.stride : 0;
}

class Planner {
  public:
    Planner(Plan& plan, const SessionOptions& options)
        : plan_(plan), options_(options), kernels_(kernels_of(options.instructions)) {}

    void run() {
        const std::vector<TensorKind> kinds = kinds_of(plan_.graph);
        for (const TensorKind& kind : kinds) plan_.places.push_back({kind.shape, kind.elements});
        reuse_ = reuse_of(plan_.graph, kinds, stride_of(plan_.graph, options_));
        plan_.clip_reuse = reuse_.front();
        readers_.resize(kinds.size());
        for (std::size_t i = 0; i < layers().size(); ++i) {
            readers_[index(layers()[i].input)].push_back(i);
            if (layers()[i].second >= 0) readers_[index(layers()[i].second)].push_back(i);
        }
        fuse();
        pad();
        pack_weights();
        lay_out();
        for (std::size_t unit = 0; unit < units_.size(); ++unit) emit(unit);
        for (const auto& step : plan_.steps)
            plan_.scratch_bytes = std::max(plan_.scratch_bytes, step->scratch_bytes());
    }

  private:
    [[nodiscard]] const std::vector<Layer>& layers() const { return plan_.graph.layers; }
    [[nodiscard]] static std::size_t index(std::int32_t tensor) {
        return static_cast<std::size_t>(tensor);
    }
    [[nodiscard]] Place& place(std::int32_t tensor) { return plan_.places[index(tensor)]; }

    /// The only reader of a layer's result, where it is the next layer, or nothing.
    [[nodiscard]] const Layer* sole_next(std::size_t layer) const {
        const auto& readers = readers_[layer + 1];
        return readers.size() == 1 && readers.front() == layer + 1 ? &layers()[layer + 1] : nullptr;
    }

    void fuse() {
        for (std::size_t i = 0; i < layers().size(); ++i) {
            const Layer& layer = layers()[i];
            Unit unit{i, -1, -1, i + 1};
            const Layer* const next = sole_next(i);
            const bool is_monotone =
                layer.activation == Activation::none || layer.activation == Activation::relu;
            const bool is_norm = layer.operation == Operation::norm;
            if (next != nullptr && next->operation == Operation::max_pool &&
                (!reuse_[i + 1].keeps() || reuse_[i + 2].keeps()) &&
                (is_norm || (is_weighted(layer) && is_monotone && layer.second == -1)))
                unit.pool = static_cast<int>(++i);
            else if (next != nullptr && next->operation == Operation::add && is_norm)
                unit.addition = static_cast<int>(++i);
            unit.result = i + 1;
            units_.push_back(unit);
        }
    }

    /// Padding that the readers of each tensor need. An addition within a norm reads its rows only.
    void pad() {
        for (const Layer& layer : layers()) {
            if (layer.operation != Operation::convolution &&
                layer.operation != Operation::depthwise)
                continue;
            Place& input = place(layer.input);
            for (std::size_t d = 0; d < 3; ++d) {
                input.before[d] = std::max(input.before[d], layer.before[d]);
                input.after[d] = std::max(input.after[d], layer.after[d]);
            }
        }
    }

    void pack_weights() {
        for (const Unit& unit : units_) {
            const Layer& layer = layers()[unit.layer];
            packed_.emplace_back();
            if (!is_weighted(layer)) continue;
            const Place& input = place(layer.input);
            const Form form =
                form_of(layer, input, kernels_, static_cast<int>(options_.bit_planes));
            packed_.back() = pack(layer, input, form, kernels_);
            const PackedConvolution& packed = packed_.back();
            plan_.weight_bytes += static_cast<std::size_t>(packed.vectors) *
                                  static_cast<std::size_t>(packed.vector_weights) *
                                  packed.weight_bytes;
            constexpr const char* names[] = {"float", "integers", "bit planes",
                                             "float", "integers", "short integers"};
            plan_.kernels.push_back(fmt::format("{}: {}", to_string(layer.operation),
                                                names[static_cast<std::size_t>(form)]));
        }
    }

    int add_buffer(std::size_t bytes, std::size_t first, std::size_t last, bool is_shared) {
        buffers_.push_back({bytes, first, last, is_shared});
        return static_cast<int>(buffers_.size()) - 1;
    }

    void lay_out() {
        std::map<std::size_t, int> of_tensor;
        std::vector<std::size_t> last(plan_.places.size(), 0);
        for (std::size_t u = 0; u < units_.size(); ++u) {
            const Unit& unit = units_[u];
            const Layer& layer = layers()[unit.layer];
            last[index(layer.input)] = u;
            if (layer.second >= 0) last[index(layer.second)] = u;
            if (unit.addition >= 0) last[index(addend(unit))] = u;
        }
        last[units_.back().result] = units_.size();
        const auto add_tensor = [&](std::size_t tensor, std::size_t first) {
            const Place& at = plan_.places[tensor];
            const bool is_shared = !at.has_padding() && tensor != 0 && !reuse_[tensor].keeps();
            of_tensor[tensor] =
                add_buffer(at.bytes(), first, std::max(first, last[tensor]), is_shared);
        };
        add_tensor(0, 0);
        for (std::size_t u = 0; u < units_.size(); ++u) {
            add_tensor(units_[u].result, u);
            add_prepared(u);
        }
        place_buffers();
        for (const auto& [tensor, buffer] : of_tensor)
            plan_.places[tensor].memory = memory_of(buffer);
        // All zeros already; a clip of bytes has another integer for 0.
        const Place& clip = plan_.places.front();
        if (!clip.elements.are_real())
            std::memset(clip.memory, clip.elements.zero, clip.bytes() - slack_bytes);
    }

    [[nodiscard]] std::int32_t addend(const Unit& unit) const {
        const Layer& addition = layers()[static_cast<std::size_t>(unit.addition)];
        const auto normed = static_cast<std::int32_t>(unit.layer) + 1;
        return addition.input == normed ? addition.second : addition.input;
    }

    void add_prepared(std::size_t unit) {
        prepared_.emplace_back();
        const Layer& layer = layers()[units_[unit].layer];
        const PackedConvolution& packed = packed_[unit];
        if (!is_weighted(layer)) return;
        const Place& input = place(layer.input);
        const Shape padded{input.shape.channels, input.padded()};
        Prepared& prepared = prepared_.back();
        if (packed.form == Form::integers && kernels_.is_wide)
            prepared.data = add_buffer(
                static_cast<std::size_t>(padded.elements()) * 2 + slack_bytes, unit, unit, true);
        if (packed.form == Form::bits) {
            prepared.plane = padded.positions() * plane_bytes(padded.channels);
            prepared.data = add_buffer(
                static_cast<std::size_t>(prepared.plane * input.elements.bits) + slack_bytes, unit,
                unit, true);
        }
        if (packed.window_factor != 0)
            prepared.sums = add_buffer(
                static_cast<std::size_t>(padded.positions()) * sizeof(std::int32_t) + slack_bytes,
                unit, unit, true);
    }

    /// First fit: the lowest place where no other buffer lies that is alive at the same time.
    void place_buffers() {
        const auto whole = [](std::size_t bytes) {
            return (bytes + alignment - 1) / alignment * alignment;
        };
        std::size_t end = 0;
        for (std::size_t i = 0; i < buffers_.size(); ++i) {
            Buffer& buffer = buffers_[i];
            buffer.bytes = whole(buffer.bytes);
            std::vector<std::pair<std::size_t, std::size_t>> taken;
            for (std::size_t k = 0; k < i; ++k) {
                const Buffer& other = buffers_[k];
                const bool is_apart = buffer.is_shared && other.is_shared &&
                                      (other.last < buffer.first || buffer.last < other.first);
                if (!is_apart) taken.emplace_back(other.offset, other.offset + other.bytes);
            }
            std::sort(taken.begin(), taken.end());
            for (const auto& [begin, after] : taken)
                if (begin < buffer.offset + buffer.bytes)
                    buffer.offset = std::max(buffer.offset, after);
            end = std::max(end, buffer.offset + buffer.bytes);
        }
        plan_.memory_bytes = end;
        plan_.memory = aligned_memory(end);
    }

    [[nodiscard]] std::byte* memory_of(int buffer) const {
        return buffer < 0 ? nullptr
                          : plan_.memory.get() + buffers_[static_cast<std::size_t>(buffer)].offset;
    }

    [[nodiscard]] int least_tasks() const {
        constexpr int tasks_of_a_thread = 4;
        return options_.threads == 1 ? 1 : tasks_of_a_thread * options_.threads;
    }

    void emit(std::size_t number) {
        const Unit& unit = units_[number];
        const Layer& layer = layers()[unit.layer];
        const Place& input = place(layer.input);
        const Place& output = plan_.places[unit.result];
        const Reuse& reuse = reuse_[unit.result];
        if (reuse.keeps()) plan_.steps.push_back(keeping_step(output, reuse));
        if (is_weighted(layer)) return emit_weighted(number, layer, input, output);
        if (layer.operation == Operation::norm) return emit_norm(unit, layer, input, output);
        if (layer.operation == Operation::mean)
            return add_mean_steps(plan_.steps, kernels_, layer, input, output);
        const Place* const second = layer.second < 0 ? nullptr : &place(layer.second);
        add_step(rows_step(kernels_, layer, input, second, output), reuse.fresh());
    }

    void add_step(std::unique_ptr<Step> step, const Times& fresh) {
        step->fresh = fresh;
        plan_.steps.push_back(std::move(step));
    }

    void count(const Layer& layer, const Place& input, const Unit& unit) {
        const Shape& shape = plan_.places[unit.layer + 1].shape;
        const std::int64_t inputs = layer.operation == Operation::linear ? input.shape.elements()
                                    : layer.operation == Operation::depthwise
                                        ? 1
                                        : input.shape.channels;
        const std::int64_t each = shape.elements() / shape.grid[0] * inputs * layer.kernel[0] *
                                  layer.kernel[1] * layer.kernel[2];
        const Times fresh = reuse_[unit.result].fresh();
        const std::int64_t window =
            unit.pool < 0 ? 1 : layers()[static_cast<std::size_t>(unit.pool)].kernel[0];
        const std::int64_t length = plan_.places[unit.result].shape.grid[0];
        plan_.work.whole += each * length * window;
        plan_.work.moved += each * (fresh.head + length - fresh.tail) * window;
    }

    void emit_weighted(std::size_t number, const Layer& layer, const Place& input,
                       const Place& output) {
        const Unit& unit = units_[number];
        const Prepared& prepared = prepared_[number];
        ConvolutionSettings settings;
        settings.packed = std::move(packed_[number]);
        settings.input = input;
        settings.output = output;
        if (layer.operation != Operation::linear) {
            settings.stride = layer.stride;
            settings.before = layer.before;
        }
        if (unit.pool >= 0) settings.pool = layers()[static_cast<std::size_t>(unit.pool)].kernel;
        settings.is_relu = layer.activation == Activation::relu;
        if (layer.integer.output_bits != 0)
            settings.high = activation_range(layer.integer.output_bits).high;
        if (layer.second >= 0) settings.residual = &place(layer.second);
        settings.prepared = memory_of(prepared.data);
        settings.input_plane = prepared.plane;
        settings.row_sums = reinterpret_cast<const std::int32_t*>(memory_of(prepared.sums));
        const bool is_pointwise =
            layer.activation == Activation::silu || layer.activation == Activation::sigmoid;
        const Layer* const next = sole_next(unit.layer);
        if (next != nullptr && next->operation == Operation::norm && !is_pointwise) {
            auto moments = std::make_shared<Moments>();
            settings.moments = moments.get();
            moments_[unit.result] = std::move(moments);
        }
        // Moments are added up task by task, and shall not depend on the number of threads.
        constexpr int tasks_with_moments = 32;
        settings.least_tasks = settings.moments == nullptr ? least_tasks() : tasks_with_moments;
        count(layer, input, unit);
        const Times fresh = reuse_[unit.result].fresh();
        if (prepared.data >= 0 || prepared.sums >= 0)
            add_step(preparation_step(kernels_, preparation(settings, prepared)),
                     times_read(layer, input.shape.grid[0], times_before_pool(unit, fresh),
                                plan_.places[unit.layer + 1].shape.grid[0]));
        add_step(convolution_step(kernels_, std::move(settings)), fresh);
        if (is_pointwise) add_step(rows_step(kernels_, layer, output, nullptr, output), fresh);
    }

    /// Of a convolution's results that these pooled ones are made of.
    [[nodiscard]] Times times_before_pool(const Unit& unit, const Times& pooled) const {
        if (unit.pool < 0) return pooled;
        const int window = layers()[static_cast<std::size_t>(unit.pool)].kernel[0];
        return {pooled.head * window, pooled.tail * window};
    }

    [[nodiscard]] PreparationSettings preparation(const ConvolutionSettings& settings,
                                                  const Prepared& prepared) const {
        PreparationSettings result;
        result.input = settings.input;
        std::byte* const data = memory_of(prepared.data);
        if (settings.packed.form == Form::bits)
            result.planes = reinterpret_cast<std::uint8_t*>(data);
        else
            result.wide = reinterpret_cast<std::int16_t*>(data);
        result.plane_step = prepared.plane;
        result.row_sums = reinterpret_cast<std::int32_t*>(memory_of(prepared.sums));
        result.window = settings.packed.kernel[2];
        return result;
    }

    void emit_norm(const Unit& unit, const Layer& layer, const Place& input, const Place& output) {
        NormSettings settings;
        settings.layer = &layer;
        settings.input = input;
        settings.output = output;
        if (unit.addition >= 0) {
            settings.addend = &place(addend(unit));
            settings.adds_relu =
                layers()[static_cast<std::size_t>(unit.addition)].activation == Activation::relu;
        }
        if (unit.pool >= 0) settings.pool = layers()[static_cast<std::size_t>(unit.pool)].kernel;
        const auto found = moments_.find(index(layer.input));
        settings.takes_moments = found == moments_.end();
        settings.moments = settings.takes_moments ? std::make_shared<Moments>() : found->second;
        add_norm_steps(plan_.steps, kernels_, std::move(settings));
    }

    Plan& plan_;
    const SessionOptions& options_;
    const Kernels& kernels_;
    std::vector<std::vector<std::size_t>> readers_;  ///< layers that read each tensor
    std::vector<Reuse> reuse_;                       ///< of tensors
    std::vector<Unit> units_;
    std::vector<PackedConvolution> packed_;
    std::vector<Prepared> prepared_;
    std::vector<Buffer> buffers_;
    std::map<std::size_t, std::shared_ptr<Moments>> moments_;  ///< of tensors
};

}  // namespace

std::unique_ptr<Plan> make_plan(Graph graph, const SessionOptions& options) {
    auto plan = std::make_unique<Plan>();
    const int stride = stride_of(graph, options);
    plan->graph = stride == 0 ? std::move(graph) : with_parted_pools(std::move(graph), stride);
    Planner(*plan, options).run();
    return plan;
}

}  // namespace edgeloop::inference
