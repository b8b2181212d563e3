#pragma once

#include "edgeloop/core/log.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

#include <fmt/format.h>

namespace edgeloop {

/// Log of what peers can cause as often as they like: of each kind the first lines, then one every
/// few seconds, which says how many were kept back.
class RareLog {
  public:
    /// @param kind  one of a fixed number of texts in the code; nothing a peer chooses.
    void write(log::Level level, const std::string& kind, const std::string& text, double now) {
        Kind& of = kinds_.try_emplace(kind, Kind{burst, now, 0}).first->second;
        of.lines = std::min(burst, of.lines + (now - of.seen) / seconds_a_line);
        of.seen = now;
        if (of.lines < 1) {
            ++of.held_back;
            return;
        }
        of.lines -= 1;
        log::write(level, of.held_back == 0
                              ? text
                              : fmt::format("{} ({} like it were not shown)", text, of.held_back));
        of.held_back = 0;
    }
    void warning(const std::string& kind, const std::string& text, double now) {
        write(log::Level::warning, kind, text, now);
    }
    void info(const std::string& kind, const std::string& text, double now) {
        write(log::Level::info, kind, text, now);
    }

  private:
    static constexpr double burst = 8, seconds_a_line = 10;
    struct Kind {
        double lines, seen;
        std::size_t held_back;
    };
    std::map<std::string, Kind> kinds_;
};

}  // namespace edgeloop
