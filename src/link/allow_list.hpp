#pragma once

#include "edgeloop/link/messages.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace edgeloop {

/// A public key that may connect, and as what. `operation` may do what any may, and drop the jobs
/// of others.
struct AllowedKey {
    enum class Role { any, device, search, operation };
    std::string key;
    Role role = Role::any;
};

/// A file of an allow-list.
struct KeyFile {
    std::string path;
    bool is_list = false;  ///< one key a line, with its role; else one key that may be `role`
    AllowedKey::Role role = AllowedKey::Role::any;
};

/// The files of an allow-list: `path` itself, or the .pub files of a folder. @throws ConfigError
/// when it is not there.
[[nodiscard]] std::vector<KeyFile> key_files(const std::string& path);
/// @throws ConfigError  malformed; IoError.
[[nodiscard]] std::vector<AllowedKey> read_key_file(const KeyFile& file);

/// Who may connect, and as what: files that are looked at again while we run.
///
/// New keys count at once. A key that is gone must be gone at two looks, and a file that cannot be
/// read keeps what it had: a list that is being written throws nobody out.
class AllowList {
  public:
    /// Nobody.
    AllowList() = default;
    /// Reads the list: BrokerOptions::allow_list. @throws ConfigError, IoError.
    explicit AllowList(const std::string& path);

    /// Looks at the files, at most once a second unless `at_once`. @return whether the list
    /// changed.
    bool refresh(double now, bool at_once = false);

    [[nodiscard]] bool contains(const std::string& key) const { return keys_.count(key) != 0; }
    /// Why this key may not open a session of this role; empty: it may.
    [[nodiscard]] std::string refusal(const std::string& key, wire::Role role) const;
    /// Whether this key is an operator's.
    [[nodiscard]] bool operates(const std::string& key) const;

  private:
    using Keys = std::map<std::string, AllowedKey::Role>;
    /// What tells that a file has changed: when, inode, size.
    using Stamp = std::tuple<std::int64_t, std::uint64_t, std::int64_t>;
    struct Known {
        Stamp stamp;
        std::vector<AllowedKey> keys;
    };

    static void add(Keys& keys, const AllowedKey& key);
    bool look(Keys& seen);
    const std::vector<AllowedKey>& keys_of(const KeyFile& file);
    void complain(const std::string& text);
    void adopt(Keys seen);

    std::string path_;  ///< empty: nobody
    Keys keys_, seen_before_;
    std::map<std::string, Known> files_;
    std::string complaint_;
    double next_look_ = 0;
};

}  // namespace edgeloop
