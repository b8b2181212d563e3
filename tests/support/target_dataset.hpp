#pragma once

#include "data/shard_file.hpp"

#include "edgeloop/core/atomic_file.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop::test {

/// A dataset with any targets in `folder`: six lines of four frames, the first four for training,
/// the others for validation. Line i has the value i + 1 for every target, in its scale.
inline std::string make_target_dataset(const std::string& folder, std::vector<Target> targets) {
    make_directories(folder);
    Catalogue catalogue;
    catalogue.targets = std::move(targets);
    catalogue.settings_digest = "settings";
    catalogue.layers = {{"C1", "layer1", "C1.hdf5", SplitPart::train, 0, 4, 16},
                        {"C1", "layer2", "C1.hdf5", SplitPart::validation, 4, 2, 8}};
    catalogue.parts[0] = {1, 4, 16, {4, {}, {}}};
    catalogue.parts[1] = {1, 2, 8, {2, {}, {}}};
    ShardHead head{catalogue.settings_digest, {"first", "second"}, {}, catalogue.targets, {}};
    for (std::uint64_t i = 0; i < 6; ++i) {
        const SplitPart part = i < 4 ? SplitPart::train : SplitPart::validation;
        head.lines.push_back({i, i < 4 ? 0U : 1U, std::int64_t(i), 4, part});
        for (const Target& target : head.targets)
            head.labels.push_back((double(i) + 1) * target.scale);
    }
    for (const Target& target : head.targets) {
        catalogue.parts[0].targets.mean.push_back(2.5 * target.scale);
        catalogue.parts[0].targets.variance.push_back(1.25 * target.scale * target.scale);
        catalogue.parts[1].targets.mean.push_back(5.5 * target.scale);
        catalogue.parts[1].targets.variance.push_back(0.25 * target.scale * target.scale);
    }
    const std::string name = "shard-00000.h5", path = folder + "/" + name;
    ShardWriter writer(path, head);
    for (std::size_t i = 0; i < 6; ++i)
        writer.append({i, {}, 4, std::vector<std::uint8_t>(4 * crop_pixels, std::uint8_t(40 * i))});
    writer.commit();
    catalogue.shards = {{name, std::filesystem::file_size(path), 6, 24, "digest",
                         finished_shard(path, catalogue.settings_digest).value().content}};
    write_file_atomic(folder + "/catalogue.json", format_catalogue(catalogue));
    return folder;
}

}  // namespace edgeloop::test
