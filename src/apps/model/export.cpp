#include "commands.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/model/onnx.hpp"

#include <new>

#include <fmt/format.h>

namespace edgeloop {

int export_command(int argc, const char* const* argv) {
    std::string design, weights, output;
    int batch = 1;
    cli::OptionParser parser("edgeloop-model export",
                             "Writes a network as an ONNX file (operator set 17, float32) for ONNX "
                             "Runtime, TensorRT and others.");
    add_spec(parser, design);
    parser.add("weights", &weights,
               "safetensors file, as edgeloop-search --save-weights writes it; default: random "
               "weights");
    parser.add("batch", &batch, "batch size, fixed in the file", between(1, 4096));
    parser.add("output", &output, "file to write", needed_text());
    if (!parser.parse(argc, argv, first_option)) return 0;
    const auto spec = ArchitectureSpec::from_file(design);
    std::string model;
    try {
        model = export_onnx(spec, weights, batch);
    } catch (const std::bad_alloc&) {
        throw IoError(fmt::format("not enough memory to export '{}'", design), {},
                      "use a smaller --batch");
    }
    write_file_atomic(output, model);
    fmt::print("{}: clips ({}, 1, {}, {}, {}) of (grey / 255 - {}) / {} to targets, {:.2f} MiB{}\n",
               output, batch, spec.clip.frames, spec.clip.side, spec.clip.side, spec.clip.mean,
               spec.clip.deviation, static_cast<double>(model.size()) / (1 << 20),
               weights.empty() ? ", random weights" : "");
    return 0;
}

}  // namespace edgeloop
