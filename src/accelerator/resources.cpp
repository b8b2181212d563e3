#include "accelerator/tally.hpp"
#include "accelerator/unit_text.hpp"

#include "edgeloop/accelerator/cost.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop::accelerator {
namespace {

/// LUTs of a bit of each kind, fitted to what yosys counts: src/accelerator/README.md.
struct Rates {
    double sum, mask, comparison, selection, logic, table;
};

const Rates& rates_of(PartFamily family) {
    static const Rates six_inputs{1.0, 0.7, 0.7, 0.4, 1.0, 0.5};
    static const Rates four_inputs{1.0, 1.0, 1.0, 0.8, 1.2, 0.6};
    return family == PartFamily::xc7 || family == PartFamily::xcup ? six_inputs : four_inputs;
}

double table_luts(const Tally::Memory& memory, const Part& part, const Rates& rates) {
    // A LUT for each bit of up to 2^inputs words; some are constant, or like another one.
    const double words = static_cast<double>(memory.words);
    const double in_a_lut = std::ldexp(1.0, part.lut_inputs());
    return static_cast<double>(memory.bits) * rates.table * std::max(1.0, 1.3 * words / in_a_lut);
}

Resources of_memory(const Tally::Memory& memory, const Part& part) {
    Resources resources;
    if (memory.is_block) {
        resources.ram = blocks_of(memory.words, memory.bits, part);
        return resources;
    }
    const double words = static_cast<double>(memory.words), bits = static_cast<double>(memory.bits);
    if (memory.is_constant) {
        resources.lut = std::llround(table_luts(memory, part, rates_of(part.family)));
        return resources;
    }
    switch (part.family) {
        case PartFamily::xc7:
        case PartFamily::xcup:
            resources.lut = std::llround(4 * std::ceil(bits / 6) * std::ceil(words / 32));
            break;
        case PartFamily::ecp5:
            resources.lut = std::llround(4 * std::ceil(bits / 4) * std::ceil(words / 16));
            break;
        case PartFamily::ice40:
            resources.ff = memory.words * memory.bits;
            resources.lut = std::llround(words * bits * 1.7);
            break;
    }
    return resources;
}

}  // namespace

Resources estimated_resources(const Circuit& circuit) {
    Tally tally;
    for (const Unit& unit : circuit.units) tally += module_of(circuit, unit).tally;
    const Rates& rates = rates_of(circuit.part.family);
    const auto times = [](std::int64_t count, double rate) {
        return static_cast<double>(count) * rate;
    };
    Resources resources;
    resources.lut =
        std::llround(times(tally.sums, rates.sum) + times(tally.masks, rates.mask) +
                     times(tally.comparisons, rates.comparison) +
                     times(tally.selections, rates.selection) + times(tally.logic, rates.logic));
    resources.ff = tally.registers;
    resources.dsp = tally.blocks;
    for (const Tally::Memory& memory : tally.memories) resources += of_memory(memory, circuit.part);
    return resources;
}

void require_fit(const Resources& resources, const Part& part) {
    const std::string what = excess(resources, part);
    if (what.empty()) return;
    throw ConfigError(fmt::format("the design does not fit {}: {}", part.title, what),
                      "what is left must hold place and route",
                      "use more hardware cycles, fewer bits or a smaller network");
}

}  // namespace edgeloop::accelerator
