#include "store/run_folder.hpp"

#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

void refuse_link(const fs::path& path) {
    std::error_code failed;
    if (fs::is_symlink(path, failed))
        throw ConfigError(fmt::format("'{}' is a link", path.string()),
                          "the files of a run are written and deleted where it leads",
                          "put a folder in its place");
}

}  // namespace

Descriptor open_run_folder(const std::string& folder, Access access) {
    make_own_folder(folder, access);
    Descriptor lock = lock_file(folder + "/.lock");
    if (lock.get() < 0)
        throw ConfigError(fmt::format("'{}' is in use by another process", folder),
                          "two searches would spoil each other's files",
                          "wait for the other one or choose another --run-dir");
    for (const char* inside : {"checkpoint", "models", "tensorboard", "training", "weights"})
        refuse_link(folder + '/' + inside);
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder + "/models", none))
        refuse_link(entry.path());
    return lock;
}

void cut_off(const std::string& file, std::uint64_t bytes, Access access) {
    const Descriptor open = open_own_file(file, O_WRONLY, access);
    if (::ftruncate(open.get(), static_cast<off_t>(bytes)) != 0)
        throw IoError(fmt::format("cannot shorten '{}'", file), std::strerror(errno));
}

}  // namespace edgeloop
