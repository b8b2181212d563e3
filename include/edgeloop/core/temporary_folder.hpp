#pragma once

#include <string>

#include <sys/types.h>

namespace edgeloop {

/// A new folder of this user's alone, removed with what is in it.
class TemporaryFolder {
  public:
    /// @param parent  empty: the system's (TMPDIR).
    /// @param mode  of the folder; 0711: other users get through to what is theirs in it.
    /// @throws IoError
    explicit TemporaryFolder(const std::string& parent = "", mode_t mode = 0700);
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace edgeloop
