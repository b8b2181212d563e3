#pragma once

#include <string>

#include <fmt/format.h>

namespace edgeloop::log {

enum class Level { debug = 1, info, warning, error };  // numbers of spdlog

/// Where and how much this process logs. Call once at start; without it: info and above to stderr.
///
/// @param name   prefix of each line, e.g. "rank 3"; empty for none.
/// @param file   also append to this file when not empty.
void configure(Level level, const std::string& name = {}, const std::string& file = {});

/// Levels by name: "debug", "info", "warning", "error". @throws ConfigError otherwise.
[[nodiscard]] Level level_from(const std::string& name);

/// A line: what is not printable() in it becomes so.
void write(Level level, const std::string& text);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace edgeloop::log
