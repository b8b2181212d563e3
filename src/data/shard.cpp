#include "edgeloop/data/shard.hpp"

#include "data/shard_file.hpp"
#include "data/shard_plan.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/stop.hpp"

#include <filesystem>
#include <functional>

#include <fmt/format.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

std::string plan_path(const std::string& folder) { return folder + "/plan.json"; }
std::string catalogue_path(const std::string& folder) { return folder + "/catalogue.json"; }

/// Names of the settings that differ, e.g. "seed, shards".
std::string differing_keys(const Json& before, const Json& now) {
    std::string names;
    for (const auto& [key, value] : now.items())
        if (!before.is_object() || !before.contains(key) || before[key] != value)
            names += (names.empty() ? "" : ", ") + key;
    return names;
}

/// Files of the folder that are called as shards are, "shard-00000.h5", and then `ending`.
std::vector<fs::path> shards_in(const std::string& folder, const std::string& ending = "") {
    std::vector<fs::path> found;
    const std::string pattern = "shard-00000.h0" + ending;  // with a 0 for each digit
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        std::string name = entry.path().filename().string();
        for (char& letter : name)
            if (letter >= '0' && letter <= '9') letter = '0';
        if (name == pattern) found.push_back(entry.path());
    }
    return found;
}

void remove_files(const std::vector<fs::path>& files) {
    std::error_code ignored;
    for (const fs::path& file : files) fs::remove(file, ignored);
}

bool holds_shards(const std::string& folder) {
    return fs::exists(catalogue_path(folder)) || !shards_in(folder).empty();
}

/// Settings without what changes with the frames alone: labels and lengths of lines remain.
Json without_content(Json settings) {
    if (settings.is_object()) {
        settings.erase("seen");
        if (settings.contains("inputs") && settings["inputs"].is_array())
            for (Json& input : settings["inputs"])
                if (input.is_object()) {
                    input.erase("bytes");
                    input.erase("content");
                }
    }
    return settings;
}

/// What plan.json says; null when it is missing or damaged: as good as other settings.
Json read_plan(const std::string& folder) {
    try {
        return read_json_file(plan_path(folder));
    } catch (const ConfigError&) {
        return nullptr;
    }
}

[[noreturn]] void recording_changed(const std::string& path) {
    throw ConfigError(fmt::format("recording '{}' changed while shards were made of it", path),
                      "they could hold a part of each", "run the same command again");
}

void check_stop(const std::string& folder) {
    if (stop_signal() != 0)
        throw Stopped(
            fmt::format("stopped by signal {} before all shards were written", stop_signal()),
            fmt::format("finished shards are kept in '{}'", folder),
            "run the same command again to continue");
}

/// The settings, and when the recordings were changed last: not a part of them, because a copy of
/// the same recordings gives the same shards.
Json plan_json(const ShardPlan& plan) {
    Json json = plan.settings;
    json["seen"] = Json::array();
    for (const auto& [path, stamp] : plan.seen)
        json["seen"].push_back({{"file", fs::path(path).filename().string()},
                                {"bytes", stamp.bytes},
                                {"modified_ns", stamp.modified_ns}});
    return json;
}

using Wrote = std::function<void(std::uint64_t frames)>;

/// Copies the lines [first, last), all of one layer.
void copy_lines(const ShardPlan& plan, ShardWriter& writer, std::size_t first, std::size_t last,
                const std::string& folder, const Wrote& wrote) {
    const PlannedLayer& layer = plan.layers[plan.lines[first].layer];
    const auto file = open_recording(plan.files[layer.file], plan.external);
    const LineIndex index = file->line_index(layer.info);
    const std::size_t end = plan.lines[last - 1].position + std::size_t(1);
    if (index.lines() < end) recording_changed(file->path());
    std::size_t next = first;
    file->for_each_line(layer.info, index, plan.lines[first].position, end, plan.catalogue.crop,
                        [&](CroppedLine& line) {
                            check_stop(folder);
                            if (next == last || plan.lines[next].position != line.line ||
                                plan.lines[next].frames != line.frames)
                                recording_changed(file->path());
                            writer.append(line);
                            wrote(line.frames);
                            ++next;
                        });
    if (next != last) recording_changed(file->path());
}

void write_shard(const ShardPlan& plan, std::size_t shard, const std::string& folder,
                 const Wrote& wrote) {
    ShardWriter writer(folder + "/" + shard_name(shard), shard_head(plan, shard));
    const std::size_t last = plan.cuts[shard + 1];
    for (std::size_t first = plan.cuts[shard]; first < last;) {
        std::size_t end = first;
        while (end < last && plan.lines[end].layer == plan.lines[first].layer) ++end;
        copy_lines(plan, writer, first, end, folder, wrote);
        first = end;
    }
    writer.commit();
}

}  // namespace

ShardJob::ShardJob(ShardOptions options)
    : options_(std::move(options)),
      plan_(std::make_shared<const ShardPlan>(make_shard_plan(options_))) {}

const std::string& ShardJob::settings_digest() const { return plan_->catalogue.settings_digest; }

std::string ShardJob::path_of(const CatalogueShard& shard) const {
    return options_.output + "/" + shard.file;
}

void ShardJob::prepare() const {
    const std::string& folder = options_.output;
    make_directories(folder);
    remove_files(shards_in(folder, ".partial"));
    const Json now = plan_json(*plan_);
    if (holds_shards(folder) && !options_.force) {
        const Json before = read_plan(folder);
        if (before == now) return;
        const Json old = without_content(before), wanted = without_content(now);
        if (old != wanted)
            throw ConfigError(fmt::format("'{}' holds shards made with other settings", folder),
                              "these differ: " + differing_keys(old, wanted),
                              "choose another folder or add --force to replace them");
        log::info("the recordings changed since the shards in '{}' were made: all are made anew",
                  folder);
    }
    std::error_code ignored;
    fs::remove(catalogue_path(folder), ignored);
    remove_files(shards_in(folder));
    write_file_atomic(plan_path(folder), now.dump(1) + "\n");
}

void ShardJob::write(int rank, int ranks, const ProgressCallback& progress) const {
    const std::vector<CatalogueShard>& shards = plan_->catalogue.shards;
    JobProgress state;
    const auto step = static_cast<std::size_t>(ranks);
    for (auto shard = static_cast<std::size_t>(rank); shard < shards.size(); shard += step)
        state.total += shards[shard].frames;
    const auto advance = [&](std::uint64_t frames) {
        state.done += frames;
        if (progress) progress(state);
    };
    for (auto shard = static_cast<std::size_t>(rank); shard < shards.size(); shard += step) {
        check_stop(options_.output);
        if (finished_shard(path_of(shards[shard]), settings_digest()))
            advance(shards[shard].frames);
        else
            write_shard(*plan_, shard, options_.output, advance);
    }
}

Catalogue ShardJob::finish() const {
    for (const auto& [path, stamp] : plan_->seen)
        if (stamp_of(path) != stamp) recording_changed(path);
    Catalogue catalogue = plan_->catalogue;
    for (CatalogueShard& shard : catalogue.shards) {
        const std::string path = path_of(shard);
        const std::optional<MappedShard> mapped = finished_shard(path, settings_digest());
        if (!mapped)
            throw IoError(fmt::format("shard '{}' is not there", path),
                          "another process may have removed it", "run the same command again");
        shard.bytes = mapped->file_bytes;
        shard.digest =
            digest({reinterpret_cast<const char*>(mapped->mapping.get()), shard.bytes}).hex();
        shard.content = mapped->content;
    }
    write_file_atomic(catalogue_path(options_.output), format_catalogue(catalogue));
    return catalogue;
}

Catalogue make_shards(const ShardOptions& options, const ProgressCallback& progress) {
    const ShardJob job(options);
    job.prepare();
    job.write(0, 1, progress);
    return job.finish();
}

}  // namespace edgeloop
