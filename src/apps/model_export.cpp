#include "apps/model_commands.hpp"

#include "edgeloop/cli/model_options.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/model/onnx.hpp"

#include <new>

#include <fmt/format.h>

namespace edgeloop::apps {

int export_command(int argc, const char* const* argv) {
    cli::ExportOptions options;
    if (!cli::parse(argc, argv, options)) return 0;
    const auto spec = ArchitectureSpec::from_file(options.spec);
    std::string model;
    try {
        model = export_onnx(spec, options.weights, options.batch);
    } catch (const std::bad_alloc&) {
        throw IoError(fmt::format("not enough memory to export '{}'", options.spec), {},
                      "use a smaller --batch");
    }
    write_file_atomic(options.output, model);
    fmt::print("{}: clips ({}, 1, {}, {}, {}) to targets ({}, 2), {:.2f} MiB{}\n", options.output,
               options.batch, spec.clip.frames, spec.clip.side, spec.clip.side, options.batch,
               static_cast<double>(model.size()) / (1 << 20),
               options.weights.empty() ? ", random weights" : "");
    return 0;
}

}  // namespace edgeloop::apps
