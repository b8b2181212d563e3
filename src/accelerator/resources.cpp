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
    static const Rates six_inputs{1.0, 0.7, 0.7, 0.4, 1.0, 0.9};
    static const Rates four_inputs{1.0, 1.0, 1.0, 0.8, 1.2, 0.9};
    return family == PartFamily::xc7 || family == PartFamily::xcup ? six_inputs : four_inputs;
}

double up(double value) { return std::ceil(value); }

bool is_xilinx(const Part& part) { return part.lut_inputs() == 6; }

/// Of w words a bit is one of 2^w functions of the address: half of them are others negated, and
/// two are constant.
double table_luts(const Tally::Memory& memory, const Part& part, const Rates& rates) {
    const double words = static_cast<double>(memory.words), bits = static_cast<double>(memory.bits);
    const double functions = std::ldexp(1.0, static_cast<int>(std::min(words, 60.0)) - 1);
    const double different = std::min(bits * (1 - 1 / functions), functions - 1);
    // Selections of LUTs have gates of their own where these are not of iCE40.
    const double luts_of_a_bit = up(words / std::ldexp(1.0, part.lut_inputs()));
    const double selections = part.family == PartFamily::ice40 ? 1.7 : 1.0;
    return different * rates.table * (luts_of_a_bit == 1 ? 1.0 : luts_of_a_bit * selections);
}

/// Of a memory that is written, in LUTs or, on iCE40, registers.
Resources of_small_memory(const Tally::Memory& memory, const Part& part) {
    const double words = static_cast<double>(memory.words), bits = static_cast<double>(memory.bits);
    Resources resources;
    if (part.family == PartFamily::ice40) {
        resources.ff = memory.words * memory.bits;
        resources.lut = std::llround(0.7 * (words - 1) * bits + words);
    } else if (part.family == PartFamily::ecp5) {  // 16 words of 4 bits in 6 LUTs
        resources.lut = std::llround(6 * up(bits / 4) * up(words / 16));
    } else if (words <= 32) {  // of 6 bits in 4
        resources.lut = std::llround(4 * up(bits / 6));
    } else {  // 64 words of 3 bits in 4
        resources.lut = std::llround(4 * up(bits / 3) * up(words / 64));
    }
    return resources;
}

Resources of_memory(const Tally::Memory& memory, const Part& part) {
    Resources resources;
    if (memory.is_block)
        resources.ram = blocks_of(memory.words, memory.bits, part);
    else if (memory.is_constant)
        resources.lut = std::llround(table_luts(memory, part, rates_of(part.family)));
    else
        return of_small_memory(memory, part);
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
    resources.ff = tally.registers - (is_xilinx(circuit.part) ? tally.packed : 0);
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
