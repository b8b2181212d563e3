#pragma once

#include "edgeloop/accelerator/part.hpp"

#include <cstdint>
#include <vector>

namespace edgeloop::accelerator {

/// What the text of modules is made of, counted while it is written; resources.cpp says what each
/// of it takes of a part.
struct Tally {
    struct Memory {
        std::int64_t words = 0, bits = 0;
        bool is_block = false;     ///< in RAM blocks
        bool is_constant = false;  ///< a table
    };

    std::int64_t registers = 0;    ///< bits
    std::int64_t sums = 0;         ///< bits of sums and differences of two
    std::int64_t masks = 0;        ///< bits that are masked by one bit before a sum
    std::int64_t comparisons = 0;  ///< bits compared
    std::int64_t selections = 0;   ///< bits of selections of one of two
    std::int64_t logic = 0;        ///< functions of a few bits
    std::int64_t blocks = 0;       ///< multiplier blocks
    std::int64_t packed = 0;       ///< bits of registers that some blocks have inside
    std::vector<Memory> memories;

    Tally& operator+=(const Tally& other);
};

/// Whether a memory that is written goes to RAM blocks.
[[nodiscard]] bool prefers_block(std::int64_t words, std::int64_t bits, const Part& part);
/// RAM blocks of a memory with a port to read and one to write.
[[nodiscard]] std::int64_t blocks_of(std::int64_t words, std::int64_t bits, const Part& part);
/// Whether yosys gives a product of numbers of so many bits a multiplier block.
[[nodiscard]] bool takes_block(int bits, int other_bits, int product_bits, const Part& part);
/// The attribute that says where an array lies, e.g. "(* ram_style = \"block\" *) ".
[[nodiscard]] const char* memory_attribute(bool is_block, const Part& part);
/// The same of a table.
[[nodiscard]] const char* table_attribute(bool is_block, const Part& part);

}  // namespace edgeloop::accelerator
