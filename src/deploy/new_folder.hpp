#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// A folder that appears under its name whole or not at all: it is filled under another name beside
/// it, and removed unless it is committed.
class NewFolder {
  public:
    /// Makes the parents. @throws ConfigError  there is something at the path that is no empty
    /// folder; IoError.
    explicit NewFolder(const std::string& path);
    ~NewFolder();
    NewFolder(const NewFolder&) = delete;
    NewFolder& operator=(const NewFolder&) = delete;

    /// @throws IoError
    void write(const std::string& name, std::string_view bytes, bool is_program = false);
    /// Where it is filled, for those who write by themselves.
    [[nodiscard]] const std::string& temporary() const { return temporary_; }
    /// @throws IoError  e.g. somebody made a folder of this name meanwhile.
    void commit();

  private:
    std::string path_, temporary_;
    bool committed_ = false;
};

}  // namespace edgeloop
