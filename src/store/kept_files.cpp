#include "edgeloop/store/kept_files.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

// All errors are ignored: a file that stays does no harm, and workers may remove files meanwhile.

struct File {
    fs::path path;
    CandidateId id = 0;
    std::uint64_t bytes = 0;
    fs::file_time_type written;
};

// Files named <id><ending>.
std::vector<File> files_in(const fs::path& folder, const std::string& ending) {
    std::vector<File> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const auto id = number_in<CandidateId>(entry.path().stem().string());
        if (!id || entry.path().extension() != ending) continue;
        std::error_code gone;
        const std::uint64_t bytes = entry.file_size(gone);
        const fs::file_time_type written = entry.last_write_time(gone);
        if (!gone) files.push_back({entry.path(), *id, bytes, written});
    }
    return files;
}

void remove_file(const fs::path& path) {
    std::error_code ignored;
    fs::remove(path, ignored);
}

// Those of these candidates come first. @return where the others begin.
std::vector<File>::iterator first_of_others(const std::set<CandidateId>& wanted,
                                            std::vector<File>& files) {
    return std::partition(files.begin(), files.end(),
                          [&](const File& file) { return wanted.count(file.id) > 0; });
}

constexpr const char* shown_name = "weights.safetensors";  // in a folder of models/

// Whether these weights are shown already: by a link, or by a copy that was made since.
bool is_shown(const fs::path& kept, const fs::path& shown) {
    std::error_code error;
    if (!fs::is_regular_file(fs::symlink_status(shown, error))) return false;
    if (fs::equivalent(kept, shown, error)) return true;
    const bool as_large = fs::file_size(kept, error) == fs::file_size(shown, error);
    return as_large && fs::last_write_time(shown, error) > fs::last_write_time(kept, error);
}

fs::path weights_file(const fs::path& run, const ArchiveMember& member) {
    const CandidateId id = member.weights > 0 ? member.weights : member.completed.candidate.id;
    return run / "weights" / fmt::format("{}.safetensors", id);
}

// Removes the files from here on from the list and the disk.
void drop(std::vector<File>& files, std::vector<File>::iterator first) {
    std::for_each(first, files.end(), [](const File& file) { remove_file(file.path); });
    files.erase(first, files.end());
}

std::uint64_t total(const std::vector<File>& files) {
    std::uint64_t bytes = 0;
    for (const File& file : files) bytes += file.bytes;
    return bytes;
}

// Drops the oldest of those that only wait until they fit the limit.
void limit_waiting(const EngineState& state, std::uint64_t limit, std::vector<File>& files) {
    const auto waiting = first_of_others(under_way(state), files);
    std::sort(waiting, files.end(), [](const File& newer, const File& older) {
        return std::pair(newer.written, newer.id) > std::pair(older.written, older.id);
    });
    std::uint64_t bytes = 0;
    drop(files, std::find_if(waiting, files.end(), [&](const File& file) {
             bytes += file.bytes;
             return bytes > limit;
         }));
}

}  // namespace

KeptFiles::KeptFiles(std::string run_dir, std::uint64_t rung_limit_bytes, Access access)
    : run_dir_(std::move(run_dir)), rung_limit_bytes_(rung_limit_bytes), access_(access) {
    for (const char* folder : {"", "checkpoint", "training", "weights"}) {
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(fs::path(run_dir_) / folder, error))
            if (entry.path().filename().string().find(".tmp") != std::string::npos)
                remove_file(entry.path());
    }
}

std::uint64_t KeptFiles::tidy(const EngineState& state) const {
    std::set<CandidateId> wanted = unfinished(state);
    std::vector<File> trainings = files_in(fs::path(run_dir_) / "training", ".state");
    drop(trainings, first_of_others(wanted, trainings));
    limit_waiting(state, rung_limit_bytes_, trainings);
    for (const ArchiveMember& member : state.archive.members())
        wanted.insert(member.completed.candidate.id);
    for (const CandidateId repeat : trainings_to_keep(state.confirmation)) wanted.insert(repeat);
    std::vector<File> weights = files_in(fs::path(run_dir_) / "weights", ".safetensors");
    drop(weights, first_of_others(wanted, weights));
    return total(trainings) + total(weights);
}

void KeptFiles::show(const std::vector<ArchiveMember>& front) const {
    const fs::path run(run_dir_);
    for (const ArchiveMember& member : front) {
        const fs::path folder = run / "models" / std::to_string(member.completed.candidate.id);
        const fs::path kept = weights_file(run, member), shown = folder / shown_name;
        std::error_code error;
        if (!fs::is_regular_file(fs::symlink_status(kept, error)) || is_shown(kept, shown))
            continue;
        make_inner_folder(run / "models", access_);
        make_inner_folder(folder, access_);
        const fs::path link = folder / (std::string(shown_name) + ".tmp");
        remove_file(link);
        fs::create_hard_link(kept, link, error);
        if (error) fs::copy_file(kept, link, error);  // file systems without links
        fs::rename(link, shown, error);
    }
}

void KeptFiles::adopt(const std::string& weights_file, CandidateId id) const {
    const std::string path = fmt::format("{}/weights/{}.safetensors", run_dir_, id);
    try {
        const Descriptor source = open_regular_file(weights_file, Links::refuse);
        std::string bytes;
        if (!read_all(source.get(), bytes)) throw IoError("cannot be read", std::strerror(errno));
        make_inner_folder(run_dir_ + "/weights", access_);
        write_file_atomic(path, bytes, Durability::process_crash, access_);
    } catch (const Error& error) {
        throw IoError(fmt::format("cannot copy '{}' to '{}'", weights_file, path), error.what(),
                      "check the disk, or leave out --reuse or --save-weights");
    }
}

std::size_t KeptFiles::finish(const std::vector<ArchiveMember>& front) const {
    const fs::path run(run_dir_);
    std::error_code ignored;
    std::size_t missing = 0;
    for (const ArchiveMember& member : front) {
        const std::string id = std::to_string(member.completed.candidate.id);
        const fs::path shown = run / "models" / id / shown_name;
        fs::rename(weights_file(run, member), shown, ignored);
        missing += fs::exists(shown, ignored) ? 0 : 1;
    }
    fs::remove_all(run / "weights", ignored);
    fs::remove_all(run / "training", ignored);
    return missing;
}

}  // namespace edgeloop
