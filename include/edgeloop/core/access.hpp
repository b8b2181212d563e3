#pragma once

#include "edgeloop/core/descriptor.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace edgeloop {

/// For whom the files are that a program makes, and whether links lead it elsewhere.
enum class Access {
    as_usual,  ///< a file that a user named: 0644 less the umask; a link leads to its target
    owner,     ///< of a run directory or a store: 0600, folders 0700, whatever the umask; no links
    group      ///< likewise, and the owner's group reads: 0640, folders 0750
};

[[nodiscard]] mode_t file_mode(Access access);
[[nodiscard]] mode_t folder_mode(Access access);

/// Opens a file of a run directory or a store for writing, with the flags of open(2); a file that
/// is there gets the mode of `access`. Never waits for a pipe. REQUIRES: not Access::as_usual.
///
/// @throws ConfigError  it is a link, or no regular file; IoError  it cannot be opened.
[[nodiscard]] Descriptor open_own_file(const std::string& path, int flags, Access access);

/// Makes a run directory or the folder of a store, its parents as the umask says. One that is there
/// keeps its mode; with Access::group its group is let in.
///
/// @throws ConfigError  it belongs to another user (not root's, and not asked as root), or
/// everybody may write to it: they could replace what is written there; IoError  it cannot be made.
void make_own_folder(const std::string& path, Access access);

/// Makes a folder inside such a one. @throws ConfigError  it is a link; IoError  it cannot be made.
void make_inner_folder(const std::string& path, Access access);

/// Where a folder of this user alone may be.
struct FolderPlace {
    std::string parent;      ///< empty: nowhere
    std::string name;        ///< inside it, e.g. ".cache/edgeloop"
    bool is_shared = false;  ///< others write to the parent, too: nobody's links in it are followed
};

/// The first of these folders that is this user's, is closed to other writers and can be written
/// to; made with mode 0700 when it is missing. @throws ConfigError  there is none.
[[nodiscard]] std::string own_folder(const std::vector<FolderPlace>& places);

/// own_folder() for locks by which processes of this user keep each other out. It does not depend
/// on the environment as long as the user has a home, and no other user can take it first.
[[nodiscard]] std::string own_lock_folder();

}  // namespace edgeloop
