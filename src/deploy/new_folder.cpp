#include "deploy/new_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>

#include <fmt/format.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

std::string without_slashes(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
}

}  // namespace

NewFolder::NewFolder(const std::string& path) : path_(without_slashes(path)) {
    if (path_.empty()) throw ConfigError("no folder to write was given", {}, "add --out FOLDER");
    std::error_code error;
    const fs::file_status found = fs::symlink_status(path_, error);
    if (fs::exists(found) && !(fs::is_directory(found) && fs::is_empty(path_, error)))
        throw ConfigError(fmt::format("'{}' is there already", path_),
                          "a folder is written as a whole", "remove it, or name another --out");
    if (const fs::path parent = fs::path(path_).parent_path(); !parent.empty())
        make_directories(parent.string());
    std::random_device random;
    temporary_ = fmt::format("{}.tmp{:08x}{:08x}", path_, random(), random());
    if (!fs::create_directory(temporary_, error))
        throw IoError(fmt::format("cannot create the folder '{}'", temporary_), error.message(),
                      "check the path and its permissions");
}

NewFolder::~NewFolder() {
    std::error_code ignored;
    if (!committed_) fs::remove_all(temporary_, ignored);
}

void NewFolder::write(const std::string& name, std::string_view bytes, bool is_program) {
    const std::string file = temporary_ + '/' + name;
    write_file_atomic(file, bytes);
    std::error_code ignored;  // a file system without modes
    using fs::perms;
    if (is_program)
        fs::permissions(file, perms::owner_exec | perms::group_exec | perms::others_exec,
                        fs::perm_options::add, ignored);
}

void NewFolder::commit() {
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0)
        throw IoError(fmt::format("cannot give the folder '{}' its name", path_),
                      std::strerror(errno));
    committed_ = true;
    sync_folder_of(path_);
}

}  // namespace edgeloop
