#include "edgeloop/cli/data_options.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/error.hpp"

#include <charconv>
#include <string>

#include <fmt/format.h>

namespace edgeloop::cli {
namespace {

constexpr int first_option = 2;

RaiseLayout layout_from(const std::string& name) {
    for (const RaiseLayout layout : {RaiseLayout::v1_0, RaiseLayout::v1_1})
        if (name == name_of(layout)) return layout;
    throw ConfigError(fmt::format("unknown layout '{}'", name), {}, "use v1.0 or v1.1");
}

/// "72x88" to 72 rows and 88 columns.
void read_size(const std::string& text, int& height, int& width) {
    const char* end = text.data() + text.size();
    const auto rows = std::from_chars(text.data(), end, height);
    const bool separated = rows.ec == std::errc() && rows.ptr != end && *rows.ptr == 'x';
    const auto columns =
        separated ? std::from_chars(rows.ptr + 1, end, width) : std::from_chars_result{};
    if (!separated || columns.ec != std::errc() || columns.ptr != end)
        throw ConfigError(fmt::format("image size '{}' is not HEIGHTxWIDTH", text), {},
                          "for example --size 64x64");
}

}  // namespace

std::optional<SynthOptions> parse_synth_options(int argc, const char* const* argv) {
    SynthOptions options;
    std::string layout = name_of(options.layout);
    std::string size = fmt::format("{}x{}", options.height, options.width);
    OptionParser parser("edgeloop-data synth",
                        "writes synthetic melt-pool recordings in the RAISE-LPBF layout.");
    parser.add("output", &options.output, "folder for the files");
    parser.add("layout", &layout, "v1.0 (objects in one file) or v1.1 (one file per object)");
    parser.add("objects", &options.objects, "number of objects");
    parser.add("layers", &options.layers, "layers of each object");
    parser.add("lines", &options.lines, "scan lines of each layer");
    parser.add("size", &size, "height and width of a frame, e.g. 64x64");
    parser.add("line-length", &options.line_length_mm,
               "length of a scan line in mm; its frames are length / speed at 20 000 frames/s");
    parser.add("seed", &options.seed, "the same seed gives the same bytes");
    parser.add("threads", &options.threads, "threads to use; 0: all cores");
    parser.add("deflate", &options.deflate, "compression level of the frames, 0 to 9");
    parser.add("hide-test-labels", &options.hide_test_labels,
               "leave laser_params out of the test file (v1.0) or test objects (v1.1)");
    if (!parser.parse(argc, argv, first_option)) return std::nullopt;
    options.layout = layout_from(layout);
    read_size(size, options.height, options.width);
    return options;
}

std::optional<ShardOptions> parse_shard_options(int argc, const char* const* argv) {
    ShardOptions options;
    std::string split = name_of(options.split.mode);
    OptionParser parser("edgeloop-data shard",
                        "crops RAISE-LPBF files once and writes shards for training.");
    parser.add("input", &options.input, "RAISE-LPBF files or quoted patterns, either layout");
    parser.add("output", &options.output, "folder for the shards");
    parser.add("shards", &options.shards, "number of shards");
    parser.add("split", &split, "what is kept together: layer, object or official");
    parser.add("seed", &options.split.seed, "seed of the split");
    parser.add("validation", &options.split.validation_fraction,
               "fraction of the layers (objects) for validation");
    parser.add("test", &options.split.test_fraction,
               "fraction of the layers (objects) for test; not used by the official split");
    parser.add("force", &options.force, "make all shards anew, replacing any that are there");
    if (!parser.parse(argc, argv, first_option)) return std::nullopt;
    options.split.mode = split_mode_from(split);
    return options;
}

std::optional<InspectCommand> parse_inspect_options(int argc, const char* const* argv) {
    InspectCommand command;
    bool json = false;
    OptionParser parser("edgeloop-data inspect",
                        "describes RAISE-LPBF files and lists what is wrong with them.");
    parser.add("json", &json, "print JSON instead of text");
    parser.add("quick", &command.inspect.quick, "leave out what needs all frames to be read");
    parser.add("montage", &command.inspect.montage, "write a PNG with example lines to this file");
    parser.positional("FILE", &command.inspect.input,
                      "RAISE-LPBF files or quoted patterns, either layout");
    if (!parser.parse(argc, argv, first_option)) return std::nullopt;
    command.form = json ? ReportForm::json : ReportForm::text;
    return command;
}

std::optional<ClipsOptions> parse_clips_options(int argc, const char* const* argv) {
    ClipsOptions options;
    OptionParser parser("edgeloop-data clips",
                        "writes exactly what a model would see of each scan line.");
    parser.add("input", &options.input, "RAISE-LPBF files or quoted patterns, either layout");
    parser.add("output", &options.output, "HDF5 file to write");
    parser.add("frames", &options.frames, "frames of a window");
    parser.add("stride", &options.stride, "frames from one of the window to the next");
    parser.add("side", &options.side, "height and width after resizing");
    parser.add("center", &options.center,
               "centred windows as in validation instead of random ones as in training");
    parser.add("seed", &options.seed, "seed of the random windows");
    if (!parser.parse(argc, argv, first_option)) return std::nullopt;
    return options;
}

}  // namespace edgeloop::cli
