#include "edgeloop/deploy/export.hpp"

#include "commands.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/model/threads.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

struct Wishes {
    std::string model, spec, weights, batch = "1";
    int threads = 1;
    ExportRequest request;
};

void add_options(cli::OptionParser& parser, Wishes& wishes) {
    ExportRequest& request = wishes.request;
    parser.add("model", &wishes.model,
               "folder of edgeloop-model train, or models/ID of a search with --save-weights");
    parser.add("spec", &wishes.spec,
               "instead of --model: design, a JSON file or a shipped one by name");
    parser.add("weights", &wishes.weights,
               "with --spec: its weights, a safetensors file; default: random weights");
    parser.add("format",
               cli::spelled(&request.format, {{"onnx", ModelFormat::onnx},
                                              {"torchscript", ModelFormat::torchscript},
                                              {"native", ModelFormat::native}}),
               "onnx: operator set 17, for ONNX Runtime, TensorRT and others; native: for "
               "edgeloop's own runtime, which takes crops and clips");
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
    parser.add("output", &request.output, "file to write", needed_text());
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

}  // namespace

int export_command(int argc, const char* const* argv) {
    Wishes wishes;
    cli::OptionParser parser("edgeloop-model export",
                             "Writes a network as a file that other programs run, after comparing "
                             "the two.");
    add_options(parser, wishes);
    if (!parser.parse(argc, argv, first_option)) return 0;
    wishes.request.batch = batch_from(wishes.batch);
    wishes.request.network = wanted_network(wishes);
    start_compute_threads(wishes.threads);
    fmt::print("{}", to_text(export_model(wishes.request), wishes.request));
    return 0;
}

}  // namespace edgeloop
