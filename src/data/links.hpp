#pragma once

#include "data/hdf5.hpp"

#include <string>

namespace edgeloop::hdf5 {

// HDF5 opens whatever a file refers to, a pipe or a device as well, and looks for it in several
// places. So links are followed here, one by one, and each file is looked at before it is opened.

/// Why a file must not be opened: a problem to follow "which", and what to do. Empty: it may be.
struct Refusal {
    std::string problem, suggestion;
};

/// A file that another one refers to.
struct Referred {
    std::string path;  ///< where HDF5 would find it; empty: nowhere
    Refusal refusal;
};

/// Looks for a file where HDF5 does: as it is called, in the folders that the environment variable
/// names, in the folder of the file that refers to it, in the working folder.
/// @param name  as it is written in `referring`.
[[nodiscard]] Referred find_referred(const std::string& name, const std::string& referring,
                                     const char* variable, const References& references);
/// @param path  something is there.
[[nodiscard]] Refusal refusal_of(const std::string& path, const References& references);

/// What a path inside a file leads to. `broken`: to nothing that can, or may, be opened.
enum class LinkEnd { missing, broken, group, other };

struct Target {
    LinkEnd end = LinkEnd::missing;
    Handle parent;                    ///< of a group or other: the group that has it
    std::string name;                 ///< its name there, which is no link; ".": the group itself
    std::string problem, suggestion;  ///< of a broken one: which link, and why

    /// REQUIRES: end is LinkEnd::group.
    [[nodiscard]] Handle open_group() const;
};

/// @param start  a file or group; an absolute path begins at the root of its file.
[[nodiscard]] Target find(hid_t start, const std::string& path, const References& references);

/// Name of the file that holds an object, which a link may have led to.
[[nodiscard]] std::string file_of(hid_t object);

/// A search path of HDF5 with `${ORIGIN}` replaced by the folder of `file`.
[[nodiscard]] std::string with_origin(std::string prefix, const std::string& file);

/// What get(buffer, size) writes of a text whose length it returns; empty when there is none.
template <class Get>
[[nodiscard]] std::string text_of(const Get& get) {
    const ssize_t length = get(nullptr, 0);
    std::string text(length > 0 ? static_cast<std::size_t>(length) + 1 : 1, '\0');
    if (length > 0) get(text.data(), text.size());
    text.pop_back();
    return text;
}

}  // namespace edgeloop::hdf5
