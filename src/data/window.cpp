#include "edgeloop/data/window.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::array<const char*, 3> policy_names = {"skip", "repeat", "pad"};

}  // namespace

const char* name_of(ShortLines policy) { return policy_names.at(static_cast<std::size_t>(policy)); }

ShortLines short_lines_from(const std::string& name) {
    for (std::size_t i = 0; i < policy_names.size(); ++i)
        if (name == policy_names[i]) return static_cast<ShortLines>(i);
    throw ConfigError(fmt::format("unknown treatment of short lines '{}'", name), {},
                      "use skip, repeat or pad");
}

bool WindowRule::uses(std::size_t available) const {
    if (short_lines == ShortLines::pad) return available > 0;
    if (short_lines == ShortLines::repeat) return available > 2 * static_cast<std::size_t>(margin);
    return available >= std::max(needed(), static_cast<std::size_t>(shortest_line));
}

std::size_t WindowRule::places(std::size_t available) const {
    return available >= needed() ? available - needed() + 1 : 1;
}

std::size_t WindowRule::start(std::size_t available, std::size_t place) const {
    const auto edge = static_cast<std::size_t>(margin);
    if (available >= needed() || short_lines == ShortLines::repeat) return edge + place;
    return available > span() ? (available - span()) / 2 : 0;
}

std::size_t WindowRule::padded(std::size_t available) const {
    if (short_lines != ShortLines::pad || available >= span()) return 0;
    const auto step = static_cast<std::size_t>(stride);
    return static_cast<std::size_t>(frames) - (available + step - 1) / step;
}

void copy_window(const std::uint8_t* line, std::size_t available, std::size_t place,
                 const WindowRule& rule, std::uint8_t* window) {
    const auto step = static_cast<std::size_t>(rule.stride);
    const std::size_t start = rule.start(available, place), padded = rule.padded(available);
    const std::size_t present = static_cast<std::size_t>(rule.frames) - padded;
    const bool repeats = rule.short_lines == ShortLines::repeat && available < rule.needed();
    const std::size_t round =
        repeats ? available - 2 * static_cast<std::size_t>(rule.margin) : available;
    if (rule.stride == 1 && !repeats)
        std::memcpy(window, line + start * crop_pixels, present * crop_pixels);
    else
        for (std::size_t i = 0; i < present; ++i)
            std::memcpy(window + i * crop_pixels, line + (start + i * step % round) * crop_pixels,
                        crop_pixels);
    std::memset(window + present * crop_pixels, 0, padded * crop_pixels);
}

}  // namespace edgeloop
