#pragma once

#include <string>
#include <vector>

namespace edgeloop {

/// What the process of a job sees of the file system.
struct FileView {
    std::vector<std::string> readable;  ///< files, and folders with all below them
    std::vector<std::string> devices;   ///< files that it may also write to
    std::vector<std::string> programs;  ///< folders of what it may also start
    std::string folder;                 ///< in which it may do anything; empty: none
};

/// The libraries that this process has loaded and their folders, what the kernel tells about the
/// processor, this process' own entry in /proc, and with `gpu` what the drivers of NVIDIA need.
[[nodiscard]] FileView view_of_a_job(bool gpu);

/// What tools need that the process of a job starts: the system's programs and libraries, and the
/// folder that they work in.
[[nodiscard]] FileView view_of_tools(const std::string& folder);

/// Version of the kernel's Landlock; 0: it has none.
[[nodiscard]] int landlock_version();

/// Opens nothing but the view from now on, by Landlock; this thread and those that it will start.
/// Where the kernel can (version 4 and 6), no network by TCP and no signals to others, either.
/// PR_SET_NO_NEW_PRIVS comes before.
/// @return false when that failed, errno says why; nothing is held then.
[[nodiscard]] bool see_by_landlock(const FileView& view);

/// The same for kernels without Landlock: a file system of its own that holds the view, read-only.
/// Takes the right to mount, of root or in a user namespace.
/// @return false when that failed. The process may see either file system then.
[[nodiscard]] bool see_by_mounts(const FileView& view);

}  // namespace edgeloop
