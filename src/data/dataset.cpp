#include "data/dataset_impl.hpp"

#include "edgeloop/core/error.hpp"

#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

Sample to_sample(const ShardLine& line, const std::uint8_t* pixels) {
    return {pixels, line.frames, line.number, float(line.target.speed_mm_s / speed_scale_mm_s),
            float(line.target.power_w / power_scale_w)};
}

}  // namespace

Dataset::Impl::Impl(const std::string& from)
    : folder(from), catalogue(read_catalogue(from)), digest(catalogue_digest(catalogue)) {
    for (const CatalogueShard& entry : catalogue.shards) {
        MappedShard& shard = shards.emplace_back(open_shard(folder, catalogue, entry));
        const std::vector<ShardLine> lines = shard.take_lines();
        for (std::size_t i = 0; i < lines.size(); ++i)
            parts[static_cast<std::size_t>(lines[i].part)].push_back(
                to_sample(lines[i], shard.pixels(i)));
    }
    for (int part = 0; part < split_part_count; ++part)
        if (samples(SplitPart(part)).size() != catalogue.part(SplitPart(part)).lines)
            throw ConfigError(
                fmt::format("the shards in '{}' do not match their catalogue", folder),
                fmt::format("lines of the part '{}' are missing", name_of(SplitPart(part))),
                "make them again with edgeloop-data shard --force");
}

Dataset::Dataset(const std::string& folder) : impl_(std::make_unique<const Impl>(folder)) {}
Dataset::~Dataset() = default;
const std::string& Dataset::folder() const { return impl_->folder; }
const Catalogue& Dataset::catalogue() const { return impl_->catalogue; }
const std::string& Dataset::digest() const { return impl_->digest; }

}  // namespace edgeloop
