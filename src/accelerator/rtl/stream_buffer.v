// A short queue in registers: what is pushed must have room, which the module before it counts.
module stream_buffer #(
    parameter WIDTH = 8,
    parameter DEPTH = 2,
    parameter BITS = 1
) (
    input wire clk,
    input wire rst,
    input wire push,
    input wire [WIDTH-1:0] push_data,
    output wire out_valid,
    input wire out_ready,
    output wire [WIDTH-1:0] out_data
);
    reg [WIDTH-1:0] memory [0:DEPTH-1];
    reg [BITS-1:0] head, tail;
    reg [BITS:0] count;
    localparam [BITS-1:0] LAST = DEPTH - 1;
    wire pop = out_valid && out_ready;
    assign out_valid = count != 0;
    assign out_data = memory[head];
    always @(posedge clk) begin
        if (push) memory[tail] <= push_data;
        if (rst) begin
            head <= 0;
            tail <= 0;
            count <= 0;
        end else begin
            if (push) tail <= tail == LAST ? 0 : tail + 1'b1;
            if (pop) head <= head == LAST ? 0 : head + 1'b1;
            if (push && !pop) count <= count + 1'b1;
            else if (pop && !push) count <= count - 1'b1;
        end
    end
endmodule
