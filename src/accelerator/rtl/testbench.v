// Offers clips to the accelerator and holds its answers against those of the integer reference.
// +stalls=SEED holds pixels and answers back at random moments; 0, the default, never.
module testbench (
    input wire clk
);
    localparam CLIPS = 1;    // in clips.hex
    localparam PIXELS = 1;   // of a clip
    localparam OUTPUTS = 1;  // numbers of an answer, 32 bits each
    // No answer for so many cycles ends the run.
    localparam PATIENCE = 32'd200000000;

    reg [7:0] clips [0:CLIPS*PIXELS-1];
    reg [32*OUTPUTS-1:0] answers [0:CLIPS-1];
    reg [31:0] seed, random, cycle, pixel, clip, in_clip, answer, different, quiet;
    reg rst, is_offered, is_taken;
    wire in_ready, out_valid;
    wire in_valid = is_offered && pixel < CLIPS * PIXELS;
    wire out_ready = is_taken;
    wire [7:0] in_data = clips[pixel < CLIPS * PIXELS ? pixel : 0];
    wire [32*OUTPUTS-1:0] out_data;
    // xorshift32 (Marsaglia, "Xorshift RNGs", 2003)
    wire [31:0] random_a = random ^ (random << 13);
    wire [31:0] random_b = random_a ^ (random_a >> 17);
    wire [31:0] random_c = random_b ^ (random_b << 5);

    accelerator dut (
        .clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready), .in_data(in_data),
        .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data)
    );

    initial begin
        $readmemh("clips.hex", clips);
        $readmemh("answers.hex", answers);
        if (!$value$plusargs("stalls=%d", seed)) seed = 0;
        random = seed;
        cycle = 0;
        pixel = 0;
        in_clip = 0;
        clip = 0;
        answer = 0;
        different = 0;
        quiet = 0;
        rst = 1;
        is_offered = 0;
        is_taken = 0;
    end

    always @(posedge clk) begin
        cycle <= cycle + 1;
        rst <= cycle < 4;
        random <= random_c;
        // A quarter of the cycles in which nothing is offered, and half in which nothing is taken;
        // now and then nothing for long.
        is_offered <= cycle >= 4 && (seed == 0 || (random_c[1:0] != 0 && random_c[18:12] != 0));
        is_taken <= cycle >= 4 && (seed == 0 || (random_c[2] && random_c[27:24] != 0));
        if (!rst && in_valid && in_ready) begin
            pixel <= pixel + 1;
            in_clip <= in_clip == PIXELS - 1 ? 0 : in_clip + 1;
            if (in_clip == 0) $display("clip %0d: first pixel at cycle %0d", clip, cycle);
            if (in_clip == PIXELS - 1) begin
                $display("clip %0d: last pixel at cycle %0d", clip, cycle);
                clip <= clip + 1;
            end
        end
        quiet <= quiet + 1;
        if (quiet > PATIENCE) begin
            $display("FAILED: no answer");
            $finish;
        end
        if (!rst && out_valid && out_ready) begin
            quiet <= 0;
            answer <= answer + 1;
            $display("clip %0d: answer %h at cycle %0d", answer, out_data, cycle);
            if (out_data !== answers[answer]) begin
                $display("clip %0d: DIFFERENT, expected %h", answer, answers[answer]);
                different <= different + 1;
            end
            if (answer == CLIPS - 1) begin
                if (different == 0 && out_data === answers[answer])
                    $display("PASSED: %0d clips, all answers equal the integer reference", CLIPS);
                else $display("FAILED: answers differ from the integer reference");
                $finish;
            end
        end
    end
endmodule
