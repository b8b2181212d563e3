#pragma once

#include <string>

namespace edgeloop {

/// Keeps a second process out of a run directory; released when destroyed or when the process dies.
class DirectoryLock {
  public:
    /// @throws ConfigError  another process holds it.
    /// @throws IoError      the lock file cannot be created.
    explicit DirectoryLock(const std::string& folder);
    ~DirectoryLock();
    DirectoryLock(const DirectoryLock&) = delete;
    DirectoryLock& operator=(const DirectoryLock&) = delete;

  private:
    int descriptor_ = -1;
};

}  // namespace edgeloop
