#include "edgeloop/adaptation/network.hpp"

#include "adaptation/segments.hpp"
#include "adaptation/unit.hpp"
#include "adaptation/unit_passes.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/inference/integer.hpp"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

namespace edgeloop::adaptation {
namespace {

/// Room of one size for the whole time.
class Room {
  public:
    void make(std::size_t bytes) { memory_ = std::make_unique<float[]>(bytes / sizeof(float) + 1); }
    [[nodiscard]] float* at(std::size_t byte) { return memory_.get() + byte / sizeof(float); }

  private:
    std::unique_ptr<float[]> memory_;
};

}  // namespace

struct Network::Impl {
    Impl(inference::Graph given, std::size_t limit_bytes) : graph(std::move(given)) {
        parameters.reserve(static_cast<std::size_t>(inference::parameters(graph)));
        units = take_units(graph, parameters);
        if (units.empty() || parameters.empty())
            throw ConfigError("the network has nothing to learn");
        lay_out(limit_bytes);
        gradients.resize(parameters.size());
    }

    void lay_out(std::size_t limit_bytes) {
        memory.weights = parameters.size() * sizeof(float);
        for (const Unit& unit : units) memory.weights += unit.weight_rounding.scales.size() * 4;
        memory.gradients = parameters.size() * sizeof(float);
        for (std::size_t i = 0; i < units.size(); ++i) {
            memory.scratch = std::max(memory.scratch, scratch_floats(units[i]) * sizeof(float));
            // Gradients of the result, and of what it was made of.
            const std::size_t input = i == 0 ? 0 : result_bytes(units[i - 1]);
            memory.flow = std::max(memory.flow, input + result_bytes(units[i]));
        }
        const std::size_t others = memory.total();
        const std::size_t left =
            limit_bytes == 0 ? ~std::size_t{0} : limit_bytes - std::min(others, limit_bytes);
        segments = cut(units, left);
        memory.kept = segments.kept_bytes;
        memory.segment = segments.segment_bytes;
        if (limit_bytes != 0 && memory.total() > limit_bytes)
            throw ConfigError(
                fmt::format("the network cannot learn in {:.2f} MiB",
                            static_cast<double>(limit_bytes) / bytes_per_mib),
                fmt::format(
                    "it needs {:.2f} MiB: {:.2f} for weights and gradients, {:.2f} for "
                    "results",
                    static_cast<double>(memory.total()) / bytes_per_mib,
                    static_cast<double>(memory.weights + memory.gradients) / bytes_per_mib,
                    static_cast<double>(memory.total() - memory.weights - memory.gradients) /
                        bytes_per_mib),
                "raise --memory-limit-mib, or take a smaller network");
        kept.make(memory.kept);
        segment.make(memory.segment);
        flow.make(memory.flow);
        scratch.make(memory.scratch);
    }

    /// What was kept of the segment before. REQUIRES: not the first one.
    [[nodiscard]] float* kept_for(std::size_t number) {
        std::size_t byte = 0;
        for (std::size_t i = 1; i < number; ++i)
            byte += result_bytes(units[segments.begins[i] - 1]);
        return kept.at(byte);
    }

    /// The pass of a unit of the segment at work.
    [[nodiscard]] UnitPass pass_of(std::size_t number, std::size_t unit) {
        std::size_t byte = 0;
        const float* input = number == 0 ? clip : kept_for(number);
        for (std::size_t i = segments.begins[number]; i < unit; ++i) {
            input = segment.at(byte);
            byte += result_bytes(units[i]) + choice_bytes(units[i]);
        }
        const bool is_kept =
            unit + 1 == segments.end(number, units.size()) && number + 1 < segments.begins.size();
        float* const output = is_kept ? kept_for(number + 1) : segment.at(byte);
        if (!is_kept) byte += result_bytes(units[unit]);
        auto* const choices = reinterpret_cast<Choice*>(segment.at(byte));
        return {parameters.data(), input, output, choices, scratch.at(0)};
    }

    void run(std::size_t number) {
        const std::size_t end = segments.end(number, units.size());
        for (std::size_t i = segments.begins[number]; i < end; ++i)
            adaptation::forward(units[i], pass_of(number, i));
    }

    const float* forward(const float* given) {
        clip = given;
        for (std::size_t number = 0; number < segments.begins.size(); ++number) run(number);
        return pass_of(segments.begins.size() - 1, units.size() - 1).output;
    }

    /// The gradient of a unit's result: those of neighbours lie at opposite ends.
    [[nodiscard]] float* gradient_of_result(std::size_t unit) {
        return unit % 2 == 0 ? flow.at(0) : flow.at(memory.flow - result_bytes(units[unit]));
    }

    void backward(const float* output_gradient) {
        EDGELOOP_EXPECT(clip != nullptr, "no forward pass");
        std::copy_n(output_gradient, units.back().output.elements(),
                    gradient_of_result(units.size() - 1));
        for (std::size_t number = segments.begins.size(); number-- > 0;) {
            if (number + 1 < segments.begins.size()) run(number);
            for (std::size_t i = segments.end(number, units.size()); i-- > segments.begins[number];)
                adaptation::backward(units[i], pass_of(number, i), gradients.data(),
                                     gradient_of_result(i),
                                     i == 0 ? nullptr : gradient_of_result(i - 1));
        }
        clip = nullptr;  // results of the last segment are gone
    }

    inference::Graph graph;
    std::vector<float> parameters, gradients;
    std::vector<Unit> units;
    Segments segments;
    TrainingMemory memory;
    Room kept, segment, flow, scratch;
    const float* clip = nullptr;
};

Network::Network(inference::Graph graph, std::size_t limit_bytes)
    : impl_(std::make_unique<Impl>(std::move(graph), limit_bytes)) {}
Network::~Network() = default;

const TrainingMemory& Network::memory() const { return impl_->memory; }
int Network::segments() const { return static_cast<int>(impl_->segments.begins.size()); }
std::int64_t Network::inputs() const { return impl_->units.front().input.elements(); }
std::int64_t Network::outputs() const { return impl_->units.back().output.elements(); }
std::vector<float>& Network::parameters() { return impl_->parameters; }
const std::vector<float>& Network::gradients() const { return impl_->gradients; }
void Network::clear_gradients() {
    std::fill(impl_->gradients.begin(), impl_->gradients.end(), 0.0F);
}

Network::Place Network::place_of(std::size_t layer) const {
    for (const Unit& unit : impl_->units)
        if (unit.layer == layer)
            return {unit.weights, unit.weight_count, unit.biases, unit.bias_count};
    return {};
}

const float* Network::forward(const float* clip) { return impl_->forward(clip); }
void Network::backward(const float* output_gradient) { impl_->backward(output_gradient); }

void Network::clamp() {
    for (const Unit& unit : impl_->units) {
        const WeightRounding& rounding = unit.weight_rounding;
        if (rounding.bits == 0) continue;
        const auto high =
            static_cast<float>(inference::weight_range(rounding.bits, rounding.grid).high);
        const std::size_t fan_in = unit.fan_in();
        for (std::size_t i = 0; i < unit.weight_count; ++i) {
            const float most = rounding.scales[i / fan_in] * high;
            float& weight = impl_->parameters[unit.weights + i];
            weight = std::clamp(weight, -most, most);
        }
    }
}

inference::Graph Network::take_graph() {
    Impl& impl = *impl_;
    impl.gradients = {};
    put_back(impl.units, impl.parameters, impl.graph);
    impl.parameters = {};
    impl.units = {};
    return std::move(impl.graph);
}

}  // namespace edgeloop::adaptation
