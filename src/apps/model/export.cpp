#include "edgeloop/deploy/export.hpp"

#include "commands.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/deploy/circuit_export.hpp"
#include "edgeloop/model/threads.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// What is written: a file of one of the forms of ModelFormat, or the folder of a circuit.
enum class Form { onnx, torchscript, qonnx, native, rtl };

struct Wishes {
    std::string model, spec, weights, batch = "1";
    int threads = 1;
    Form form = Form::onnx;
    ExportRequest request;
    CircuitRequest circuit;
    int cycles = 0;
};

/// Of --format rtl.
void add_circuit_options(cli::OptionParser& parser, Wishes& wishes) {
    CircuitRequest& circuit = wishes.circuit;
    parser.group("The circuit of --format rtl");
    parser.add("native", &circuit.native_file, "instead of --model: a native file (.elm)");
    parser.add("part", &circuit.part,
               "gate array: zynq7020, zu3eg, ecp5-85, ice40-hx8k, or a JSON file");
    parser.add("cycles", &wishes.cycles,
               "clock cycles a frame that no layer may exceed; 0: as the design says",
               between(0, 1'000'000'000));
    parser.add("weight-memory", &circuit.weights,
               "lut or bram: where the weights lie; default: as the design says");
    parser.add("multipliers", &circuit.multipliers,
               "logic or dsp: what multiplies; default: as the design says");
    parser.add("simulate", &circuit.simulate,
               "run the test bench by Verilator; answers that differ are an error");
    parser.add("synthesise", &circuit.synthesise, "count LUTs and the rest by yosys");
    parser.add("place", &circuit.place, "find out the clock by place and route (ice40-hx8k)");
    parser.add("tool-seconds", &circuit.seconds, "most that each tool may take", at_least(1));
}

void add_options(cli::OptionParser& parser, Wishes& wishes) {
    ExportRequest& request = wishes.request;
    parser.add("model", &wishes.model,
               "folder of edgeloop-model train, or models/ID of a search with --save-weights");
    parser.add("spec", &wishes.spec,
               "instead of --model: design, a JSON file or a shipped one by name");
    parser.add("weights", &wishes.weights,
               "with --spec: its weights, a safetensors file; default: random weights");
    parser.add(
        "format",
        cli::spelled(&wishes.form, {{"onnx", Form::onnx},
                                    {"torchscript", Form::torchscript},
                                    {"qonnx", Form::qonnx},
                                    {"native", Form::native},
                                    {"rtl", Form::rtl}}),
        "onnx: operator set 17, for ONNX Runtime, TensorRT and others; qonnx: a quantised network "
        "for FINN, hls4ml and others; native: for edgeloop's own runtime, which takes crops and "
        "clips; rtl: Verilog of an accelerator for --part");
    parser.add("precision",
               cli::spelled(&request.precision, {{"float32", FilePrecision::float32},
                                                 {"float16", FilePrecision::float16},
                                                 {"int8", FilePrecision::int8}}),
               "of weights and results; int8: static, calibrated on training clips of --data");
    parser.add(
        "batch", &wishes.batch,
        "batch size, 1 to 4096, fixed in an ONNX file, or free; a TorchScript file takes any");
    parser.add("with-preprocessing", &request.with_preprocessing,
               "the file takes uint8 crops and gives physical values");
    parser.add("data", &request.data,
               "folder of shards, to compare with recorded clips, to calibrate and to judge");
    parser.add("clips", &request.clips,
               "to compare the file with the network on, at least; and most that are judged",
               between(1000, 1'000'000));
    parser.add("threads", &wishes.threads, "compute threads", at_least(1));
    parser.add("output", &request.output, "file to write; of rtl a new folder", needed_text());
    add_circuit_options(parser, wishes);
}

int batch_from(const std::string& text) {
    if (text == "free") return 0;
    constexpr int most = 4096;
    const bool digits = !text.empty() && text.size() <= 4 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    const int batch = digits ? std::stoi(text) : 0;
    if (batch < 1 || batch > most)
        throw ConfigError(fmt::format("--batch '{}': must be free, or from 1 to {}", text, most));
    return batch;
}

StoredNetwork wanted_network(const Wishes& wishes) {
    if (wishes.model.empty() == wishes.spec.empty())
        throw ConfigError("one network is to be exported", {},
                          "give --model, or --spec and --weights");
    if (!wishes.model.empty()) {
        if (!wishes.weights.empty())
            throw ConfigError("--weights belongs to --spec", "the folder of --model has weights");
        return stored_network(wishes.model);
    }
    if (!wishes.weights.empty()) return stored_network(wishes.spec, wishes.weights);
    StoredNetwork network;
    network.name = wishes.spec;
    network.spec = ArchitectureSpec::from_file(wishes.spec);
    return network;
}

void require_choice(const char* option, const std::string& said, const char* one,
                    const char* other) {
    if (!said.empty() && said != one && said != other)
        throw ConfigError(fmt::format("--{} '{}': must be {} or {}", option, said, one, other));
}

CircuitRequest circuit_request(const Wishes& wishes) {
    CircuitRequest circuit = wishes.circuit;
    require_choice("weight-memory", circuit.weights, "lut", "bram");
    require_choice("multipliers", circuit.multipliers, "logic", "dsp");
    const ExportRequest& request = wishes.request;
    if (request.with_preprocessing || request.precision != FilePrecision::float32)
        throw ConfigError("a circuit takes grey values and has the bits of its design", {},
                          "leave --with-preprocessing and --precision out");
    const bool has_other = !wishes.model.empty() || !wishes.spec.empty();
    if (!circuit.native_file.empty() && (has_other || !request.data.empty()))
        throw ConfigError("--native stands alone: a native file says all about its network",
                          "--model, --spec and --data belong to networks as training leaves them");
    if (circuit.native_file.empty()) circuit.network = wanted_network(wishes);
    if (wishes.cycles > 0) circuit.cycles = wishes.cycles;
    circuit.data = request.data;
    circuit.output = request.output;
    return circuit;
}

void refuse_circuit_options(const Wishes& wishes) {
    const CircuitRequest& circuit = wishes.circuit;
    if (wishes.cycles != 0 || !circuit.native_file.empty() || !circuit.weights.empty() ||
        !circuit.multipliers.empty() || circuit.simulate || circuit.synthesise || circuit.place)
        throw ConfigError("these options belong to a circuit", {}, "add --format rtl");
}

}  // namespace

int export_command(int argc, const char* const* argv) {
    Wishes wishes;
    cli::OptionParser parser("edgeloop-model export",
                             "Writes a network as a file that other programs run, after comparing "
                             "the two.");
    add_options(parser, wishes);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    wishes.request.batch = batch_from(wishes.batch);
    if (wishes.form == Form::rtl) {
        start_compute_threads(wishes.threads);
        fmt::print("{}", export_circuit(circuit_request(wishes)));
        return 0;
    }
    refuse_circuit_options(wishes);
    constexpr ModelFormat formats[] = {ModelFormat::onnx, ModelFormat::torchscript,
                                       ModelFormat::qonnx, ModelFormat::native};
    wishes.request.format = formats[static_cast<std::size_t>(wishes.form)];
    wishes.request.network = wanted_network(wishes);
    start_compute_threads(wishes.threads);
    fmt::print("{}", to_text(export_model(wishes.request), wishes.request));
    return 0;
}

}  // namespace edgeloop
