#pragma once

#include "edgeloop/adaptation/network.hpp"
#include "edgeloop/adaptation/optimiser.hpp"
#include "edgeloop/core/json.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace edgeloop::adaptation {

struct AdaptOptions {
    std::string model;            ///< .elm file
    std::string labelled;         ///< LabelledClips
    std::string out;              ///< .elm file; may be the model
    double memory_limit_mib = 0;  ///< of weights, gradients, states and results; 0: none
    OptimiserOptions optimiser;
    double learning_rate = 1e-3;
    int epochs = 20;
    int batch = 16;           ///< clips whose gradients are added up for a step
    double held_back = 0.25;  ///< share of the lines
    std::uint64_t seed = 1;
    std::function<bool()> stop;  ///< asked before each batch
};

/// How well a network answers the lines that were held back.
struct Judgement {
    std::vector<double> r2;  ///< of each target: 1 - squared error / that of the mean of the lines
    double rmse = 0;         ///< over all targets, each divided by its scale
};

struct AdaptReport {
    std::size_t lines = 0, held_back = 0, clips = 0;
    Judgement before, after;
    bool is_kept = false;
    std::string why_not;  ///< it was not kept
    TrainingMemory memory;
    std::size_t optimiser_bytes = 0;
    int segments = 1;
    bool was_quantised = false;
    double seconds = 0;

    [[nodiscard]] std::size_t state_bytes() const { return memory.total() + optimiser_bytes; }
    [[nodiscard]] Json json() const;
};

/// Lets a network go on learning from labelled clips, and writes it where it is better.
///
/// A share of the lines is held back. Both networks are judged on it as they run on the device, so
/// that of integers as integers. The new one is kept where the held-back lines say that it is
/// better, and better than the mean of the labels that it learnt from, each with 95 % confidence
/// (one-sided, of the mean of differences of squared errors of lines). Else nothing is written. The
/// mean has to be beaten because labels that mean nothing make any network better that they teach
/// to answer with it.
///
/// The file is replaced as a whole: a reader, or a start after a power cut, finds the old or the
/// new one.
///
/// @throws ConfigError  a file that cannot be used; lines that are too few; the memory limit;
/// Stopped  stop() said so; IoError.
[[nodiscard]] AdaptReport adapt(const AdaptOptions& options);

}  // namespace edgeloop::adaptation
