#pragma once

#include "edgeloop/architecture/hardware.hpp"
#include "edgeloop/architecture/low_rank.hpp"
#include "edgeloop/architecture/quantisation.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/shipped.hpp"

#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// What of a video a network sees. Clips have shape (batch, 1, frames, side, side); a grey value x
/// of 0 to 255 is (x/255 - mean) / deviation.
struct ClipShape {
    int frames = 16;
    int stride = 1;
    int side = 64;
    double mean = 0.45, deviation = 0.225;  ///< published; in a spec only where it has others

    [[nodiscard]] std::vector<Field> fields();
};

/// How one candidate is trained; part of the design because learning rate and schedule are genes.
struct TrainingRecipe {
    std::string optimizer = "adam";
    double learning_rate = 1e-3;
    double weight_decay = 0;
    int batch = 8;
    int micro_batch = 0;
    int epochs = 2;
    std::string schedule = "step";
    int step_epochs = 10;
    double gamma = 0.1;

    [[nodiscard]] std::vector<Field> fields();
    /// Clips of a batch that pass through the network at once.
    [[nodiscard]] int at_once(int clips) const {
        return micro_batch > 0 && micro_batch < clips ? micro_batch : clips;
    }
    /// "8", or "8, 2 at a time".
    [[nodiscard]] std::string batch_text() const;
};

/// The files of src/architecture/specs/.
[[nodiscard]] const std::vector<ShippedFile>& shipped_specs();

/// One network to build, train and measure: what travels to workers and edge devices.
///
/// JSON: {"family": "swin3d", "architecture": {...}, "clip": {"frames","stride","side",
/// "mean","deviation"}, "training": {...}, "quantisation": {...}, "low_rank": {...}, "hardware":
/// {...}}. `architecture` holds the family's own keys; src/architecture/README.md lists them.
/// Without `quantisation` it is float32, without `low_rank` dense.
struct ArchitectureSpec {
    std::string family;
    Json architecture = Json::object();
    ClipShape clip;
    TrainingRecipe training;
    Quantisation quantisation;
    LowRank low_rank;
    std::optional<Hardware> hardware;  ///< of its accelerator; nothing: the spec does not say

    /// Every default of the family is filled in, so `architecture` has all of its keys. Whether the
    /// whole can be built is another question: static_problem() in static_rules.hpp.
    /// @throws ConfigError  unknown key, wrong type or a value out of range, with its place.
    [[nodiscard]] static ArchitectureSpec from_json(const Json& json, const std::string& where);
    /// The spec in a JSON file, or a shipped one by bare name, e.g. "human".
    /// @throws ConfigError  as from_json, with the line; no such file; or a static_problem().
    [[nodiscard]] static ArchitectureSpec from_file(const std::string& path_or_name);
    [[nodiscard]] Json to_json() const;
    /// Canonical text: equal specs give equal bytes.
    [[nodiscard]] std::string canonical() const;
    /// Digest of canonical(): identity of training results.
    [[nodiscard]] Digest identity() const;
    /// Digest without `training`, what grey values become, how long is trained in float32 and how
    /// ranks are found: identity of latency measurements, which do not depend on them.
    [[nodiscard]] Digest network_identity() const;
};

}  // namespace edgeloop
