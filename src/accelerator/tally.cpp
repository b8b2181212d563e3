#include "accelerator/tally.hpp"

#include <algorithm>

namespace edgeloop::accelerator {
namespace {

std::int64_t ratio_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

Tally& Tally::operator+=(const Tally& other) {
    registers += other.registers;
    sums += other.sums;
    masks += other.masks;
    comparisons += other.comparisons;
    selections += other.selections;
    logic += other.logic;
    blocks += other.blocks;
    packed += other.packed;
    memories.insert(memories.end(), other.memories.begin(), other.memories.end());
    return *this;
}

std::int64_t blocks_of(std::int64_t words, std::int64_t bits, const Part& part) {
    // A block is deeper where its words are narrower.
    std::int64_t widest = part.family == PartFamily::ice40 ? 16 : 36, least = part.ram_bits;
    std::int64_t best = 0;
    for (std::int64_t width = widest; width >= 1; width = width == 9 ? 4 : width / 2) {
        const std::int64_t depth = part.family == PartFamily::ice40
                                       ? least / width
                                       : (width >= 9 ? least / width : least / 9 * 8 / width);
        const std::int64_t blocks = ratio_up(bits, width) * ratio_up(words, depth);
        if (best == 0 || blocks < best) best = blocks;
    }
    return best;
}

bool prefers_block(std::int64_t words, std::int64_t bits, const Part& part) {
    if (part.family == PartFamily::ice40) return words >= 8 && words * bits >= 256;
    // LUT memory: 32 words of 6 bits in 4 LUTs, or 16 of 4 bits in 6.
    const std::int64_t luts = part.family == PartFamily::ecp5
                                  ? 6 * ratio_up(bits, 4) * ratio_up(words, 16)
                                  : 4 * ratio_up(bits, 6) * ratio_up(words, 32);
    constexpr std::int64_t luts_of_a_block =
        100;  // about what parts have of one for each of the other
    return luts > luts_of_a_block * blocks_of(words, bits, part);
}

bool takes_block(int bits, int other_bits, int product_bits, const Part& part) {
    constexpr int least = 2,
                  least_product = 9;  // of synth_xilinx and synth_ecp5; the last of Xilinx
    const bool is_xilinx = part.family == PartFamily::xc7 || part.family == PartFamily::xcup;
    return bits >= least && other_bits >= least && (!is_xilinx || product_bits >= least_product);
}

const char* memory_attribute(bool is_block, const Part& part) {
    // No memory is read where it is written in the same cycle, which yosys cannot know.
    if (is_block) return "(* no_rw_check, ram_style = \"block\" *) ";
    return part.has_lut_memory() ? "(* no_rw_check, ram_style = \"distributed\" *) "
                                 : "(* no_rw_check, ram_style = \"logic\" *) ";
}

const char* table_attribute(bool is_block, const Part&) {
    return is_block ? "(* rom_style = \"block\" *) " : "(* rom_style = \"logic\" *) ";
}

}  // namespace edgeloop::accelerator
