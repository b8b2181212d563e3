#include "core_witness.hpp"

#include "support/made_up_machine.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::core_witness_test {
namespace {

/// A core that issues `per_cycle` independent operations a cycle at `ghz`.
struct Core {
    double per_cycle = 6, ghz = 2;
    CoreWitness::Loops loops() {
        return {[this](int cycles) { return cycles / ghz; },
                [this](int cycles) { return 4 * cycles / per_cycle / ghz; }};
    }
};

TEST(CoreWitness, ANeighbourIsSeenFromTheFirstLookOn) {
    Core core;
    CoreWitness witness(core.loops());
    core.per_cycle = 3;
    EXPECT_FALSE(witness.look().alone);
    core.per_cycle = 6;
    EXPECT_TRUE(witness.look().alone);
    EXPECT_TRUE(witness.look().alone);
    core.per_cycle = 4.8;  // above the four that every core issues, but this one was seen to do six
    EXPECT_FALSE(witness.look().alone);
}

TEST(CoreWitness, TheClockDoesNotMatterAndIsReported) {
    Core core;
    CoreWitness witness(core.loops());
    for (const double ghz : {2.0, 0.8, 3.6}) {
        core.ghz = ghz;
        const CoreWitness::Look look = witness.look();
        EXPECT_TRUE(look.alone);
        EXPECT_DOUBLE_EQ(look.clock_mhz, 1000 * ghz);
    }
}

TEST(CoreWitness, OneLoopThatWasInterruptedIsNotANeighbour) {
    Core core;
    int calls = 0;
    CoreWitness::Loops loops = core.loops();
    const auto independent = loops.independent_ns;
    loops.independent_ns = [&](int cycles) {
        return independent(cycles) + (++calls % 2 == 0 ? 50'000 : 0);
    };
    CoreWitness witness(loops);
    EXPECT_TRUE(witness.look().alone);
    EXPECT_TRUE(witness.look().alone);
}

TEST(CoreWitness, OneRateTooHighDoesNotSpoilTheLooksAfterIt) {
    Core core;
    CoreWitness witness(core.loops());
    EXPECT_TRUE(witness.look().alone);
    core.per_cycle = 12;  // the clock rose between the two loops
    EXPECT_TRUE(witness.look().alone);
    core.per_cycle = 6;
    EXPECT_TRUE(witness.look().alone);
}

TEST(CoreWitness, TheLoopsOfThisProcessorTakeTimeAndAreNotRemoved) {
    CoreWitness witness;
    const CoreWitness::Look look = witness.look();
    EXPECT_GT(look.clock_mhz, 50);
    EXPECT_LT(look.clock_mhz, 20'000);
}

TEST(CoreWitness, OnlyMachinesWithHyperthreadsOrVirtualOnesNeedIt) {
    const test::MadeUpMachine machine;
    EXPECT_FALSE(cores_may_be_shared(machine.files()));
    machine.put("/proc/cpuinfo", "processor : 0\nflags : fpu vme de\n");
    machine.put("/sys/devices/system/cpu/smt/active", "0\n");
    EXPECT_FALSE(cores_may_be_shared(machine.files()));
    machine.put("/sys/devices/system/cpu/smt/active", "1\n");
    EXPECT_TRUE(cores_may_be_shared(machine.files()));
    EXPECT_FALSE(is_virtual_machine(machine.files()));
    machine.put("/sys/devices/system/cpu/smt/active", "0\n");
    machine.put("/proc/cpuinfo", "processor : 0\nflags : fpu hypervisor lahf_lm\n");
    EXPECT_TRUE(cores_may_be_shared(machine.files()));
    machine.put("/proc/cpuinfo", "processor : 0\nflags : fpu hypervisor\n");
    EXPECT_TRUE(cores_may_be_shared(machine.files()));
}

}  // namespace
}  // namespace edgeloop::core_witness_test
