#include "edgeloop/evolution/nas_table.hpp"

#include "edgeloop/architecture/families.hpp"
#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// The notional edge device.
constexpr DeviceModel device{800, 40, 16, 0};

double training_seconds_of(const ModelCounts& counts, int epochs) {
    constexpr double clips_per_epoch = 2000, passes = 3, flops_per_second = 20e12;
    return epochs * clips_per_epoch * passes * static_cast<double>(counts.flops) / flops_per_second;
}

/// What the shape alone costs in error: short stages where depth matters, heads of odd sizes,
/// patches that blur time or are longer one way than the other.
double shape_error(const Swin3d& net) {
    double error = 0.008 / net.mlp_ratio;
    error += 0.006 * square(std::log2(1.0 * net.depths[2] / net.depths[0]) - 1);
    error += 0.004 * (1 - std::log2(net.depths[3]) / 2) * std::log2(net.depths[1]);
    for (std::size_t stage = 0; stage < net.heads.size(); ++stage) {
        const double head_width = 1.0 * net.width(stage) / net.heads[stage];
        error += 0.0015 * square(std::log2(head_width / 16));
    }
    error += net.patch[0] > 2 ? 0.012 : 0;
    error += net.patch[1] != net.patch[2] ? 0.007 : 0;
    return error;
}

/// Standard normal value that belongs to a design.
double noise_of(const Digest& design, const std::string& purpose) {
    return RandomStream(design.low, purpose, 0, design.high).normal();
}

double compute_in_decades(const ModelCounts& counts) {
    constexpr double smallest_flops = 3e8;  // about that of the smallest design
    return std::log10(static_cast<double>(counts.flops) / smallest_flops);
}

struct LearningRate {
    double too_high, too_low;  // decades away from the optimum of this network
};

LearningRate learning_rate_of(const ArchitectureSpec& spec, const Swin3d& net) {
    double depth = 0;
    for (const double blocks : net.depths) depth += blocks;
    const double best = -2.4 - 0.3 * std::log2(net.embed_dim / 24.0) - 0.05 * (depth - 4);
    const double off = std::log10(spec.training.learning_rate) - best;
    return {std::max(0.0, off), std::max(0.0, -off)};
}

/// Error of a training without end.
double final_error(const ArchitectureSpec& spec, const Swin3d& net, const ModelCounts& counts) {
    const double compute = compute_in_decades(counts);
    double error = 0.03 + 0.12 * std::exp(-0.9 * compute) + shape_error(net);
    const LearningRate rate = learning_rate_of(spec, net);
    error += 0.03 * square(rate.too_high) + 0.01 * square(rate.too_low);
    const int steps = (NasTable::full_epochs - 1) / spec.training.step_epochs;
    const double decay = steps * std::log10(spec.training.gamma);
    return error + 0.004 * square(std::clamp(decay + 1, -1.5, 1.5));
}

}  // namespace

NasTable::NasTable() : space_(SearchSpace::from_file("hpc2edge")) {}

NasTable::Result NasTable::look_up(const Genome& genome, int epochs) const {
    EDGELOOP_EXPECT(epochs >= 1, "a table of trainings starts at one epoch");
    constexpr double untrained = 0.36, cliff = 1.3, noise = 0.003, noise_when_short = 0.008;
    const ArchitectureSpec spec = space_.decode(genome);
    const auto net = std::get<Swin3d>(network_of(spec));
    const ModelCounts counts = net.count(spec.clip);
    Result result;
    result.latency_ms = analytic_latency_ms(counts, device);
    result.training_seconds = training_seconds_of(counts, epochs);
    const LearningRate rate = learning_rate_of(spec, net);
    const Digest design = spec.identity();
    if (rate.too_high > cliff) {
        result.val_rmse = untrained * (1 + 0.02 * std::abs(noise_of(design, "diverged")));
        return result;
    }
    // Larger networks and lower rates learn more slowly, so curves cross.
    const double pace =
        3 * (1 + 0.5 * compute_in_decades(counts)) * std::pow(10, 0.4 * rate.too_low);
    const double left = std::exp(-epochs / pace);
    const double settled = final_error(spec, net, counts);
    result.val_rmse = settled + (untrained - settled) * left + noise * noise_of(design, "final") +
                      noise_when_short * left * noise_of(design, fmt::format("epoch {}", epochs));
    result.val_rmse = std::max(result.val_rmse, 0.01);
    return result;
}

}  // namespace edgeloop
