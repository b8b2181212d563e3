#pragma once

#include "support/temporary_folder.hpp"
#include "system_files.hpp"

#include <filesystem>
#include <fstream>
#include <string>

namespace edgeloop::test {

/// A made-up machine: a folder with the files the kernel would show.
class MadeUpMachine {
  public:
    void put(const std::string& path, const std::string& text) const {
        const std::filesystem::path file = root_.root() + path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    [[nodiscard]] SystemFiles files() const { return SystemFiles(root_.root()); }

  private:
    TemporaryFolder root_;
};

}  // namespace edgeloop::test
