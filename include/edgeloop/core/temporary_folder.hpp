#pragma once

#include <string>

#include <sys/types.h>

namespace edgeloop {

/// A new folder, removed with what is in it.
class TemporaryFolder {
  public:
    static constexpr const char* pattern = "edgeloop-XXXXXX";  ///< of its name
    /// Where such folders are unless somebody says otherwise: TMPDIR, or /tmp.
    [[nodiscard]] static std::string system();

    /// @param parent  empty: system().
    /// @param mode  0700: this user's alone; 0711: others get through to what is theirs in it.
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
