#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// Part of the data a scan line belongs to. `prediction` holds the lines of layers without
/// `laser_params`: they can be predicted, never trained on or scored.
enum class SplitPart { train, validation, test, prediction };

constexpr int split_part_count = 4;

/// "train", "validation", "test", "prediction".
[[nodiscard]] const char* name_of(SplitPart part);
/// @throws ConfigError  unknown name.
[[nodiscard]] SplitPart split_part_from(const std::string& name);

/// What is kept together: neighbouring lines are correlated, so a split never cuts a layer.
enum class SplitMode {
    layer,     ///< whole layers are dealt to the parts
    object,    ///< whole objects are dealt to the parts
    official,  ///< the published train/test objects (v1.1) or files (v1.0); validation layers are
               ///< taken from train
};

/// "layer", "object", "official".
[[nodiscard]] const char* name_of(SplitMode mode);
/// @throws ConfigError  unknown name.
[[nodiscard]] SplitMode split_mode_from(const std::string& name);

struct SplitOptions {
    SplitMode mode = SplitMode::layer;
    std::uint64_t seed = 0;
    double validation_fraction = 0.15;  ///< of the layers (objects); of train's when official
    double test_fraction = 0.15;        ///< of the layers (objects); unused when official
};

/// One layer as the split sees it.
struct SplitLayer {
    std::string object;  ///< e.g. "C027"
    std::string layer;   ///< e.g. "layer0003"
    std::string file;    ///< name of the file without folders; official v1.0 goes by it
    bool labelled = true;
};

/// Part of every layer. The order of `layers` does not matter: the same (object, layer) gets the
/// same part for the same set, options and seed.
///
/// @return one part per layer; `prediction` for unlabelled ones. Train and validation have at least
///         one layer each; test may be empty with fewer than 3 units or a fraction of 0.
/// @throws ConfigError  fractions out of range, fewer than 2 units to deal, a layer given twice, an
///                      object outside the official lists.
[[nodiscard]] std::vector<SplitPart> split_layers(const std::vector<SplitLayer>& layers,
                                                  const SplitOptions& options);

/// Test objects of the official v1.1 split, in ascending order.
[[nodiscard]] const std::vector<std::string>& official_test_objects();

}  // namespace edgeloop
