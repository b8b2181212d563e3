// The clock of the test bench in Verilator; in Icarus clock.v has it.
#include "Vtestbench.h"
#include "verilated.h"

int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtestbench bench{&context};
    while (!context.gotFinish()) {
        bench.clk = !bench.clk;
        bench.eval();
    }
    bench.final();
    return 0;
}
