#include "link/allow_list.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <algorithm>

#include <sys/stat.h>

namespace edgeloop {
namespace {

constexpr double look_every_s = 1;
/// A file changed so recently may change again without its time showing it.
constexpr std::int64_t settled_ns = 2'000'000'000;

}  // namespace

AllowList::AllowList(const std::string& path) : path_(path) {
    for (const KeyFile& file : key_files(path))
        for (const AllowedKey& key : keys_of(file)) add(keys_, key);
    seen_before_ = keys_;
}

void AllowList::add(Keys& keys, const AllowedKey& key) {
    using Role = AllowedKey::Role;
    const auto [known, is_new] = keys.emplace(key.key, key.role);
    if (is_new || known->second == key.role) return;
    const bool operates = known->second == Role::operation || key.role == Role::operation;
    known->second = operates ? Role::operation : Role::any;
}

bool AllowList::operates(const std::string& key) const {
    const auto found = keys_.find(key);
    return found != keys_.end() && found->second == AllowedKey::Role::operation;
}

std::string AllowList::refusal(const std::string& key, wire::Role role) const {
    const auto found = keys_.find(key);
    if (found == keys_.end()) return "this side's key is not on the other's allow-list";
    if (found->second == AllowedKey::Role::search && role == wire::Role::agent)
        return "this key is listed for a search, not for a device";
    if (found->second == AllowedKey::Role::device && role == wire::Role::client)
        return "this key is listed for a device, not for a search";
    return {};
}

void AllowList::complain(const std::string& text) {
    if (!text.empty() && text != complaint_)
        log::warning("{}; what it listed before stays in force", text);
    complaint_ = text;
}

const std::vector<AllowedKey>& AllowList::keys_of(const KeyFile& file) {
    struct stat info {};
    const bool there = ::stat(file.path.c_str(), &info) == 0;
    const std::int64_t changed =  // unlike the time of modification nobody can set it back
        std::int64_t(info.st_ctim.tv_sec) * 1'000'000'000 + info.st_ctim.tv_nsec;
    const Stamp stamp{changed, info.st_ino, info.st_size};
    Known& known = files_[file.path];
    if (there && known.stamp == stamp) return known.keys;
    known.keys = read_key_file(file);
    const std::int64_t now = static_cast<std::int64_t>(unix_milliseconds()) * 1'000'000;
    known.stamp = now - changed > settled_ns ? stamp : Stamp{};
    return known.keys;
}

/// @return false when the list as a whole cannot be read now.
bool AllowList::look(Keys& seen) {
    std::string complaint;
    try {
        const std::vector<KeyFile> files = key_files(path_);
        for (const KeyFile& file : files) {
            try {
                keys_of(file);
            } catch (const Error& error) {
                complaint = error.what();
            }
            for (const AllowedKey& key : files_[file.path].keys) add(seen, key);
        }
        for (auto known = files_.begin(); known != files_.end();) {
            const bool listed = std::any_of(files.begin(), files.end(), [&](const KeyFile& file) {
                return file.path == known->first;
            });
            known = listed ? std::next(known) : files_.erase(known);
        }
    } catch (const Error& error) {
        complain(error.what());
        return false;
    }
    complain(complaint);
    return true;
}

void AllowList::adopt(Keys seen) {
    const auto missing = [](const Keys& in, const Keys& from) {
        return std::count_if(from.begin(), from.end(), [&](const auto& entry) {
            const auto found = in.find(entry.first);
            return found == in.end() || found->second != entry.second;
        });
    };
    const auto added = missing(keys_, seen), removed = missing(seen, keys_);
    keys_ = std::move(seen);
    log::info("{}: {} {} may connect ({} new, {} removed)", path_, keys_.size(),
              keys_.size() == 1 ? "key" : "keys", added, removed);
}

bool AllowList::refresh(double now, bool at_once) {
    if (path_.empty() || (now < next_look_ && !at_once)) return false;
    next_look_ = now + look_every_s;
    Keys seen;
    if (!look(seen)) return false;
    const bool certain = seen == seen_before_;
    seen_before_ = seen;
    if (!certain) seen.insert(keys_.begin(), keys_.end());
    if (seen == keys_) return false;
    adopt(std::move(seen));
    return true;
}

}  // namespace edgeloop
