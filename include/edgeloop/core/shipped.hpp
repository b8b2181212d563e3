#pragma once

#include <string>
#include <vector>

namespace edgeloop {

/// A file built into a library, so that programs find it from anywhere.
struct ShippedFile {
    const char* name;  ///< without folder, and in JSON without suffix
    const char* text;
};

struct TextFile {
    std::string name;  ///< for messages
    std::string text;
};

/// The file at `path_or_name`, or else the shipped one of that name.
///
/// @param kind  what such a file is, for messages.
/// @throws ConfigError  neither exists; lists the shipped ones.
[[nodiscard]] TextFile read_shipped_or_file(const std::string& path_or_name,
                                            const std::string& kind,
                                            const std::vector<ShippedFile>& shipped);

}  // namespace edgeloop
