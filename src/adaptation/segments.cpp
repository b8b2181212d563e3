#include "adaptation/segments.hpp"

#include <algorithm>
#include <set>

namespace edgeloop::adaptation {
namespace {

constexpr std::size_t alignment = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

std::size_t both(const Unit& unit) { return result_bytes(unit) + choice_bytes(unit); }

/// Segments from the last unit on, each as long as `most` allows. What one ends with is kept for
/// the next, so only its choices are within.
Segments greedy(const std::vector<Unit>& units, std::size_t most) {
    Segments cut;
    std::size_t own = 0;
    for (std::size_t i = units.size(); i-- > 0;) {
        if (own != 0 && own + both(units[i]) > most) {
            cut.begins.insert(cut.begins.begin(), i + 1);
            cut.kept_bytes += result_bytes(units[i]);
            own = choice_bytes(units[i]);
        } else {
            own += both(units[i]);
        }
        cut.segment_bytes = std::max(cut.segment_bytes, own);
    }
    const std::size_t last = cut.begins.empty() ? 0 : cut.begins.back();
    for (std::size_t i = 0; i < last; ++i) cut.repeated += units[i].multiply_adds();
    cut.begins.insert(cut.begins.begin(), 0);
    return cut;
}

}  // namespace

std::size_t result_bytes(const Unit& unit) {
    return aligned(static_cast<std::size_t>(unit.output.elements()) * sizeof(float));
}

std::size_t choice_bytes(const Unit& unit) {
    return aligned(static_cast<std::size_t>(unit.output.elements()) * sizeof(Choice));
}

Segments cut(const std::vector<Unit>& units, std::size_t limit_bytes) {
    std::set<std::size_t> sizes;  // that a segment may have
    for (std::size_t i = 0; i < units.size(); ++i) {
        std::size_t sum = 0;
        for (std::size_t k = i; k < units.size(); ++k) sizes.insert(sum += both(units[k]));
    }
    Segments best = greedy(units, *sizes.rbegin());
    for (const std::size_t most : sizes) {
        const Segments other = greedy(units, most);
        const bool fits = other.bytes() <= limit_bytes, best_fits = best.bytes() <= limit_bytes;
        if (fits != best_fits ? fits
            : fits            ? other.repeated < best.repeated
                              : other.bytes() < best.bytes())
            best = other;
    }
    return best;
}

}  // namespace edgeloop::adaptation
