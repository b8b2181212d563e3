#pragma once

#include <filesystem>
#include <string>
#include <system_error>

namespace edgeloop::apps {

/// A folder that is deleted with everything in it, before and after. Made by whoever writes to it.
class ScratchFolder {
  public:
    explicit ScratchFolder(std::string path) : path_(std::move(path)) { remove(); }
    ~ScratchFolder() { remove(); }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    void remove() const {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string path_;
};

}  // namespace edgeloop::apps
