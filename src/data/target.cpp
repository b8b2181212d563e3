#include "edgeloop/data/target.hpp"

#include <cctype>

#include <fmt/format.h>

namespace edgeloop {

std::string metric_name(const Target& target) {
    std::string name = target.unit.empty() ? target.name : target.name + "_" + target.unit;
    for (char& letter : name) {
        const auto code = static_cast<unsigned char>(letter);
        letter = std::isalnum(code) != 0 ? static_cast<char>(std::tolower(code)) : '_';
    }
    return name;
}

std::string to_text(const std::vector<Target>& targets) {
    std::string text;
    for (const Target& target : targets) {
        text += (text.empty() ? "" : ", ") + target.name;
        if (!target.unit.empty()) text += " in " + target.unit;
    }
    return text;
}

std::string to_text(const std::vector<Target>& targets, const double* values) {
    std::string text;
    for (std::size_t i = 0; i < targets.size(); ++i)
        text += fmt::format("{}{} {}", i == 0 ? "" : " and ", targets[i].name, values[i]);
    return text;
}

const std::vector<Target>& raise_targets() {
    static const std::vector<Target> targets = {{"speed", "mm/s", 900}, {"power", "W", 215}};
    return targets;
}

}  // namespace edgeloop
