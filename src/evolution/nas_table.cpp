#include "edgeloop/evolution/nas_table.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

double square(double x) { return x * x; }
double divide_up(double a, double b) { return std::ceil(a / b); }

/// The genes that shape a network, by name.
struct Network {
    std::vector<double> patch, depths, heads, window;
    double embed_dim, mlp_ratio;
    double frames, side;
};

Network network_of(const ArchitectureSpec& spec) {
    const Json& a = spec.architecture;
    return {a["patch"],
            a["depths"],
            a["heads"],
            a["window"],
            a["embed_dim"],
            a["mlp_ratio"],
            1.0 * spec.clip.frames,
            1.0 * spec.clip.side};
}

struct Work {
    double flops = 0;    // matrix products of one clip
    double bytes = 0;    // weights and activations moved once
    double kernels = 0;  // operations launched
};

Work work_of(const Network& net) {
    constexpr double float_bytes = 4, kernels_per_block = 14, activations_per_token = 12;
    double t = divide_up(net.frames, net.patch[0]), h = divide_up(net.side, net.patch[1]),
           w = divide_up(net.side, net.patch[2]);
    double width = net.embed_dim;
    Work work;
    work.flops = 2 * t * h * w * width * net.patch[0] * net.patch[1] * net.patch[2];
    for (std::size_t stage = 0; stage < net.depths.size(); ++stage) {
        const double depth = net.depths[stage], tokens = t * h * w;
        const double window =
            std::min(net.window[0], t) * std::min(net.window[1], h) * std::min(net.window[2], w);
        const double weights = width * width * (4 + 2 * net.mlp_ratio);
        work.flops += depth * tokens * (2 * weights + 4 * width * window);
        work.bytes +=
            depth * float_bytes *
            (weights + tokens * (activations_per_token * width + 2 * net.heads[stage] * window));
        work.kernels += depth * kernels_per_block;
        if (stage + 1 == net.depths.size()) break;
        h = divide_up(h, 2);
        w = divide_up(w, 2);
        work.flops += 2 * t * h * w * 8 * width * width;
        width *= 2;
    }
    return work;
}

/// Roofline of a notional edge device.
double latency_ms_of(const Work& work) {
    constexpr double flops_per_ms = 0.8e9, bytes_per_ms = 40e6, ms_per_kernel = 0.008;
    return std::max(work.flops / flops_per_ms, work.bytes / bytes_per_ms) +
           work.kernels * ms_per_kernel;
}

double training_seconds_of(const Work& work, int epochs) {
    constexpr double clips_per_epoch = 2000, passes = 3, flops_per_second = 20e12;
    return epochs * clips_per_epoch * passes * work.flops / flops_per_second;
}

/// What the shape alone costs in error: short stages where depth matters, heads of odd sizes,
/// patches that blur time or are longer one way than the other.
double shape_error(const Network& net) {
    double error = 0.008 / net.mlp_ratio;
    error += 0.006 * square(std::log2(net.depths[2] / net.depths[0]) - 1);
    error += 0.004 * (1 - std::log2(net.depths[3]) / 2) * std::log2(net.depths[1]);
    for (std::size_t stage = 0; stage < net.heads.size(); ++stage) {
        const double head_width = net.embed_dim * std::pow(2, stage) / net.heads[stage];
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

double compute_in_decades(const Work& work) {
    constexpr double smallest_flops = 3e8;  // about that of the smallest design
    return std::log10(work.flops / smallest_flops);
}

struct LearningRate {
    double too_high, too_low;  // decades away from the optimum of this network
};

LearningRate learning_rate_of(const ArchitectureSpec& spec, const Network& net) {
    double depth = 0;
    for (const double blocks : net.depths) depth += blocks;
    const double best = -2.4 - 0.3 * std::log2(net.embed_dim / 24) - 0.05 * (depth - 4);
    const double off = std::log10(spec.training.learning_rate) - best;
    return {std::max(0.0, off), std::max(0.0, -off)};
}

/// Error of a training without end.
double final_error(const ArchitectureSpec& spec, const Network& net, const Work& work) {
    const double compute = compute_in_decades(work);
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
    const Network net = network_of(spec);
    const Work work = work_of(net);
    Result result;
    result.latency_ms = latency_ms_of(work);
    result.training_seconds = training_seconds_of(work, epochs);
    const LearningRate rate = learning_rate_of(spec, net);
    const Digest design = spec.identity();
    if (rate.too_high > cliff) {
        result.val_rmse = untrained * (1 + 0.02 * std::abs(noise_of(design, "diverged")));
        return result;
    }
    // Larger networks and lower rates learn more slowly, so curves cross.
    const double pace = 3 * (1 + 0.5 * compute_in_decades(work)) * std::pow(10, 0.4 * rate.too_low);
    const double left = std::exp(-epochs / pace);
    const double settled = final_error(spec, net, work);
    result.val_rmse = settled + (untrained - settled) * left + noise * noise_of(design, "final") +
                      noise_when_short * left * noise_of(design, fmt::format("epoch {}", epochs));
    result.val_rmse = std::max(result.val_rmse, 0.01);
    return result;
}

}  // namespace edgeloop
