// resource_study PART FIRST COUNT: one line a random design, as CSV: what its text is made of, what
// the formulas estimate, what yosys counts.
#include "accelerator/unit_text.hpp"
#include "unit/accelerator/random_circuits.hpp"

#include "edgeloop/accelerator/tools.hpp"
#include "edgeloop/core/program.hpp"

#include <cstdio>
#include <string>

#include <fmt/format.h>

int main(int argc, char** argv) {
    using namespace edgeloop;
    using namespace edgeloop::accelerator;
    return run_program([&] {
        if (argc != 4) {
            fmt::print(stderr, "usage: resource_study PART FIRST COUNT\n");
            return 2;
        }
        const std::string part = argv[1];
        const std::uint64_t first = std::stoull(argv[2]), count = std::stoull(argv[3]);
        if (first == 0)
            fmt::print(
                "part,design,multipliers,weights,registers,sums,masks,comparisons,selections,logic,"
                "tables,memories,lut,ff,ram,dsp,yosys_lut,yosys_ff,yosys_ram,yosys_dsp\n");
        for (std::uint64_t i = first; i < first + count; ++i) {
            const Circuit circuit = test::random_circuit(11, i, part);
            Tally tally;
            for (const Unit& unit : circuit.units) tally += module_of(circuit, unit).tally;
            std::string tables, memories;
            for (const Tally::Memory& memory : tally.memories)
                (memory.is_constant ? tables : memories) +=
                    fmt::format("{}x{}{} ", memory.words, memory.bits, memory.is_block ? "b" : "");
            const Resources estimated = estimated_resources(circuit);
            const Resources counted = synthesise(circuit, {});
            fmt::print("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", part, i,
                       circuit.hardware.multipliers, circuit.hardware.weights, tally.registers,
                       tally.sums, tally.masks, tally.comparisons, tally.selections, tally.logic,
                       tables, memories, estimated.lut, estimated.ff, estimated.ram, estimated.dsp,
                       counted.lut, counted.ff, counted.ram, counted.dsp);
            std::fflush(stdout);
        }
        return 0;
    });
}
