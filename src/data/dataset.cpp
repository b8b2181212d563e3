#include "edgeloop/data/dataset.hpp"

#include "data/shard_file.hpp"

#include "edgeloop/core/error.hpp"

#include <fmt/format.h>

namespace edgeloop {

Dataset::Dataset(const std::string& folder) : catalogue_(read_catalogue(folder)) {
    const std::size_t targets = catalogue_.targets.size();
    for (const CatalogueShard& entry : catalogue_.shards) {
        const MappedShard shard = open_shard(folder, catalogue_, entry);
        mappings_.push_back(shard.mapping);
        std::vector<float>& values = targets_.emplace_back(shard.labels.size());
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = float(shard.labels[i] / catalogue_.targets[i % targets].scale);
        for (std::size_t i = 0; i < shard.lines.size(); ++i) {
            const ShardLine& line = shard.lines[i];
            samples_[static_cast<std::size_t>(line.part)].push_back({shard.pixels(i), line.frames,
                                                                     line.number, line.scan_line,
                                                                     values.data() + i * targets});
        }
    }
    for (int part = 0; part < split_part_count; ++part)
        if (samples(SplitPart(part)).size() != catalogue_.part(SplitPart(part)).lines)
            throw ConfigError(
                fmt::format("the shards in '{}' do not match their catalogue", folder),
                fmt::format("lines of the part '{}' are missing", name_of(SplitPart(part))),
                "make them again with edgeloop-data shard --force");
}

}  // namespace edgeloop
