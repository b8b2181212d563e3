#pragma once

#include "edgeloop/core/shipped.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::accelerator {

/// What a circuit takes of a part: LUTs (those used as memory count too), flip-flops, RAM blocks
/// and multiplier blocks.
struct Resources {
    std::int64_t lut = 0, ff = 0, ram = 0, dsp = 0;

    Resources& operator+=(const Resources& other) {
        lut += other.lut;
        ff += other.ff;
        ram += other.ram;
        dsp += other.dsp;
        return *this;
    }
    friend bool operator==(const Resources& a, const Resources& b) {
        return a.lut == b.lut && a.ff == b.ff && a.ram == b.ram && a.dsp == b.dsp;
    }
};

/// Of what a part is made; decides how circuits are mapped and what they cost.
enum class PartFamily : std::uint8_t { xc7, xcup, ecp5, ice40 };

/// A field-programmable gate array.
struct Part {
    std::string name;   ///< e.g. "zynq7020"
    std::string title;  ///< for people
    PartFamily family = PartFamily::xc7;
    Resources has;
    /// What a design may use of it: beyond that, place and route fail or get slow.
    Resources usable;
    std::int64_t ram_bits = 0;  ///< of a RAM block
    double clock_mhz = 0;       ///< assumed, where no place and route measures it
    std::string synthesis;      ///< yosys command, e.g. "synth_xilinx -family xc7"
    std::string placement;      ///< place and route with its options; empty: none is free

    [[nodiscard]] bool has_lut_memory() const { return family != PartFamily::ice40; }
    /// Inputs of a LUT.
    [[nodiscard]] int lut_inputs() const {
        return family == PartFamily::xc7 || family == PartFamily::xcup ? 6 : 4;
    }
};

/// The files of src/accelerator/parts/.
[[nodiscard]] const std::vector<ShippedFile>& shipped_parts();
/// Names of the shipped parts.
[[nodiscard]] std::vector<std::string> part_names();
/// A shipped part by name, or the one in a JSON file.
/// @throws ConfigError  no such part: lists the shipped ones; a file that describes none.
[[nodiscard]] Part part_named(const std::string& name_or_path);

/// Why these resources are more than a design may use of a part, or an empty text:
/// "38 000 of 37 240 LUTs".
[[nodiscard]] std::string excess(const Resources& resources, const Part& part);

}  // namespace edgeloop::accelerator
