// The clock of the test bench in Icarus; in Verilator main.cpp has it.
`timescale 1ns / 1ns
module clock;
    reg clk = 0;
    always #1 clk = !clk;
    testbench bench (.clk(clk));
endmodule
