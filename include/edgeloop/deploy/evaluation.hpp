#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/data/baselines.hpp"
#include "edgeloop/deploy/predictions.hpp"
#include "edgeloop/deploy/scores.hpp"
#include "edgeloop/deploy/stored_network.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// How well a network predicts lines that it has not seen.
struct Assessment {
    std::string network;      ///< its name
    std::string data, part;   ///< folder of the shards and the part of them, or the recordings
    std::string data_digest;  ///< of the shards; empty: recordings
    std::vector<Target> targets;
    std::size_t left_out = 0;  ///< lines without room for a window
    ResampledBy unit = ResampledBy::line;
    Bootstrap bootstrap;
    Scores scores;
    std::vector<std::vector<ErrorBin>> bins;  ///< over each target
    std::vector<Baseline> without_network;    ///< on the same lines; empty: not worked out

    std::string other;               ///< network that it is compared with; empty: none
    Scores other_scores;             ///< on the lines that both predict, as the ratio
    RmseRatio ratio;                 ///< of the network over the other
    std::vector<std::string> notes;  ///< what whoever reads the figures should know
};

struct EvaluationOptions {
    SplitPart part = SplitPart::test;
    std::optional<ResampledBy> unit;  ///< nothing: usual_unit()
    Bootstrap bootstrap;
    int batch = 32;
    Processor processor = Processor::cpu;
};

/// Figures of predictions of which some are scored. @throws ConfigError  none is.
[[nodiscard]] Assessment assessment_of(const Predictions& predictions,
                                       const EvaluationOptions& options);
/// Compares with another network on the lines that both predict. @throws ConfigError  there is
/// none.
void add_other(Predictions of, Predictions other, const EvaluationOptions& options,
               Assessment& assessment);

struct PartAssessment {
    Predictions predictions;
    Assessment assessment;
};
/// Predicts a part of a dataset and works out everything but `other`.
/// @throws ConfigError  as require_same_kind(), predict_part() and Predictor.
[[nodiscard]] PartAssessment evaluate_part(const StoredNetwork& network, const std::string& shards,
                                           const std::shared_ptr<const Dataset>& dataset,
                                           const EvaluationOptions& options);
/// Predicts a part as evaluate_part() does.
[[nodiscard]] Predictions predict_part(const StoredNetwork& network, const std::string& shards,
                                       const std::shared_ptr<const Dataset>& dataset,
                                       const EvaluationOptions& options);

/// For people.
[[nodiscard]] std::string to_text(const Assessment& assessment);
/// For programs; null for what is not defined.
[[nodiscard]] Json to_json(const Assessment& assessment);

}  // namespace edgeloop
