#include "edgeloop/accelerator/part.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/object_reader.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::accelerator {
namespace {

constexpr const char* kinds[] = {"lut", "ff", "ram", "dsp"};

std::array<std::int64_t*, 4> members(Resources& resources) {
    return {&resources.lut, &resources.ff, &resources.ram, &resources.dsp};
}

PartFamily family_named(const std::string& name, const Place& place) {
    const std::map<std::string, PartFamily> known{{"xc7", PartFamily::xc7},
                                                  {"xcup", PartFamily::xcup},
                                                  {"ecp5", PartFamily::ecp5},
                                                  {"ice40", PartFamily::ice40}};
    const auto found = known.find(name);
    if (found == known.end())
        throw ConfigError(fmt::format("{}: unknown family '{}'", place.text(), name), {},
                          "the families are xc7, xcup, ecp5, ice40");
    return found->second;
}

Part part_from(const TextFile& file) {
    const Json json = parse_json(file.text, file.name);
    const ObjectReader reader(json, Place(file.name, file.text),
                              {"title", "family", "lut", "ff", "ram", "ram_bits", "dsp", "usable",
                               "clock_mhz", "synthesis", "placement"});
    Part part;
    part.title = reader.text("title");
    part.family = family_named(reader.text("family"), reader.place("family"));
    part.ram_bits = reader.integer("ram_bits", {1, 1e9});
    part.clock_mhz = reader.number("clock_mhz", {0.1, 10000});
    part.synthesis = reader.text("synthesis");
    part.placement = reader.text("placement", "");
    const ObjectReader usable(reader.member("usable"), reader.place("usable"),
                              {"lut", "ff", "ram", "dsp"});
    for (std::size_t i = 0; i < 4; ++i) {
        const int count = reader.integer(kinds[i], {0, 1e9});
        *members(part.has)[i] = count;
        *members(part.usable)[i] =
            static_cast<std::int64_t>(std::floor(count * usable.number(kinds[i], {0, 1})));
    }
    return part;
}

}  // namespace

std::vector<std::string> part_names() {
    std::vector<std::string> names;
    for (const ShippedFile& file : shipped_parts()) names.emplace_back(file.name);
    std::sort(names.begin(), names.end());
    return names;
}

Part part_named(const std::string& name_or_path) {
    Part part = part_from(read_shipped_or_file(name_or_path, "part", shipped_parts()));
    part.name = std::filesystem::path(name_or_path).stem().string();
    return part;
}

std::string excess(const Resources& resources, const Part& part) {
    Resources needed = resources, usable = part.usable;
    constexpr const char* names[] = {"LUTs", "flip-flops", "RAM blocks", "multiplier blocks"};
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < 4; ++i)
        if (*members(needed)[i] > *members(usable)[i])
            parts.push_back(
                fmt::format("{} of {} {}", *members(needed)[i], *members(usable)[i], names[i]));
    return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace edgeloop::accelerator
