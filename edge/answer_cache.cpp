#include "answer_cache.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/log.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

constexpr EnvelopeFormat answer_format{"EANS", 1};
constexpr const char* suffix = ".answer";

/// The answer in the bytes of a file. @throws CorruptState.
std::string answer_in(std::string_view bytes, const std::string& key, const std::string& path) {
    std::string text = open_envelope(answer_format, bytes, path).payload;
    if (text.compare(0, key.size(), key) != 0 || text.size() <= key.size() ||
        text[key.size()] != '\n')
        throw CorruptState(path + ": the answer to another question");
    return text.substr(key.size() + 1);
}

struct KeptFile {
    fs::path path;
    fs::file_time_type used;
    std::uint64_t bytes;
};

std::vector<KeptFile> files_in(const std::string& folder) {
    std::vector<KeptFile> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (entry.path().extension() != suffix) continue;
        const auto used = fs::last_write_time(entry.path(), error);
        const auto bytes = fs::file_size(entry.path(), error);
        if (!error) files.push_back({entry.path(), used, bytes});
    }
    return files;
}

}  // namespace

AnswerCache::AnswerCache(std::string folder, const CacheBounds& bounds)
    : folder_(std::move(folder)), bounds_(bounds) {
    if (folder_.empty()) return;
    try {
        make_own_folder(folder_, Access::owner);
    } catch (const Error& error) {
        log::warning("no answers are kept: {}", error.what());
        folder_.clear();
    }
}

std::string AnswerCache::path_of(const std::string& key) const {
    return folder_ + '/' + digest(key).hex() + suffix;
}

std::optional<std::string> AnswerCache::find(const std::string& key) const {
    if (folder_.empty()) return std::nullopt;
    const std::string path = path_of(key);
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return std::nullopt;
    try {
        std::string answer = answer_in(read_file(path, bounds_.bytes), key, path);
        fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
        return answer;
    } catch (const Error& error) {
        log::warning("a kept answer is made again: {}", error.what());
        fs::remove(path, ignored);
        return std::nullopt;
    }
}

void AnswerCache::keep(const std::string& key, const std::string& answer) const {
    if (folder_.empty()) return;
    try {
        write_file_atomic(path_of(key), seal(answer_format, {0, 0, key + '\n' + answer}),
                          Durability::process_crash, Access::owner);
        forget_oldest();
    } catch (const Error& error) {
        log::warning("an answer is not kept: {}", error.what());
    }
}

void AnswerCache::forget_oldest() const {
    std::vector<KeptFile> files = files_in(folder_);
    std::sort(files.begin(), files.end(),
              [](const KeptFile& a, const KeptFile& b) { return a.used > b.used; });
    std::uint64_t bytes = 0;
    std::error_code ignored;
    for (std::size_t i = 0; i < files.size(); ++i) {
        bytes += files[i].bytes;
        if (i >= bounds_.answers || bytes > bounds_.bytes) fs::remove(files[i].path, ignored);
    }
}

}  // namespace edgeloop
