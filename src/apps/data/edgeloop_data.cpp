#include "apps/data/inspect.hpp"
#include "apps/data/labelled.hpp"
#include "apps/data/synth.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/data/baselines.hpp"
#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/clips.hpp"
#include "edgeloop/data/shard.hpp"

#include <cstdio>
#include <functional>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr double redraw_s = 0.2;
constexpr double plain_line_s = 10;
constexpr std::size_t bar_width = 30;

/// Shows a job's progress with rate and time left on stderr: a line that redraws itself on a
/// terminal, a plain line every ten seconds elsewhere.
class ProgressBar {
  public:
    /// @param unit   what is counted, e.g. "frames".
    /// @param quiet  show nothing, e.g. on all ranks but one.
    ProgressBar(std::string title, std::string unit, bool quiet)
        : title_(std::move(title)), unit_(std::move(unit)), quiet_(quiet) {}

    void operator()(const JobProgress& progress) {
        if (quiet_) return;
        const double now_s = steady_seconds();
        const bool complete = progress.done == progress.total;
        if (now_s - shown_s_ < (terminal_ ? redraw_s : plain_line_s) && !(complete && terminal_))
            return;
        shown_s_ = now_s;
        const std::string text = line(progress, now_s - start_s_);
        std::fprintf(stderr, terminal_ ? "\r%s\033[K" : "%s\n", text.c_str());
        drawn_ = true;
    }

    /// Ends the redrawn line.
    void finish() {
        if (drawn_ && terminal_) std::fputc('\n', stderr);
        drawn_ = false;
    }

  private:
    /// E.g. "shard [#####-----] 50 %  1200 frames/s  ETA 0:12".
    [[nodiscard]] std::string line(const JobProgress& progress, double elapsed_s) const {
        const double fraction =
            progress.total == 0 ? 1.0 : double(progress.done) / double(progress.total);
        const double rate = elapsed_s > 0 ? double(progress.done) / elapsed_s : 0;
        const double left_s = rate > 0 ? double(progress.total - progress.done) / rate : 0;
        const auto filled = static_cast<std::size_t>(fraction * double(bar_width));
        const auto seconds = static_cast<long>(left_s + 0.5);
        return fmt::format("{} [{:-<{}}] {:3.0f} %  {:.0f} {}/s  ETA {}:{:02}", title_,
                           std::string(filled, '#'), bar_width, 100 * fraction, rate, unit_,
                           seconds / 60, seconds % 60);
    }

    std::string title_, unit_;
    bool quiet_, terminal_ = ::isatty(STDERR_FILENO) == 1, drawn_ = false;
    double start_s_ = steady_seconds(), shown_s_ = start_s_;
};

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string summary_of(const Catalogue& catalogue, const std::string& folder) {
    std::string text =
        fmt::format("{} shards in {}\n{:<12}{:>8}{:>10}{:>12}\n", catalogue.shards.size(), folder,
                    "part", "layers", "lines", "frames");
    for (int i = 0; i < split_part_count; ++i) {
        const auto part = static_cast<SplitPart>(i);
        const PartSummary& summary = catalogue.part(part);
        if (summary.layers > 0)
            text += fmt::format("{:<12}{:>8}{:>10}{:>12}\n", name_of(part), summary.layers,
                                summary.lines, summary.frames);
    }
    if (catalogue.lines_without_frames > 0)
        text += fmt::format("left out: {} lines without frames\n", catalogue.lines_without_frames);
    if (catalogue.frames_without_line > 0)
        text += fmt::format("left out: {} frames without a line\n", catalogue.frames_without_line);
    return text;
}

/// What can be had without a network, of the windows that training uses by default.
std::string baselines_text(const std::string& folder) {
    const Dataset dataset(folder);
    if (dataset.samples(SplitPart::validation).empty()) return {};
    const WindowRule rule;
    try {
        return fmt::format("without a network, of {} frames in the middle of a line:\n",
                           rule.frames) +
               to_text(baselines(dataset, rule), dataset.catalogue().targets);
    } catch (const ConfigError& error) {
        return fmt::format("no baselines: {}\n", error.what());
    }
}

RaiseLayout layout_from(const std::string& name) {
    if (name == "v1.0") return RaiseLayout::v1_0;
    if (name == "v1.1") return RaiseLayout::v1_1;
    throw ConfigError(fmt::format("unknown layout '{}'", name), {}, "use v1.0 or v1.1");
}

/// "72x88" to 72 rows and 88 columns.
void read_size(const std::string& text, int& height, int& width) {
    int end = 0;
    if (std::sscanf(text.c_str(), "%dx%d%n", &height, &width, &end) != 2 ||
        static_cast<std::size_t>(end) != text.size())
        throw ConfigError(fmt::format("image size '{}' is not HEIGHTxWIDTH", text), {},
                          "for example --size 64x64");
}

/// What is written appears whole or not at all.
void stop_soon_after_a_signal() {
    install_stop_handlers();
    limit_stopping();
}

/// Adds --allow-external to a command that reads recordings.
void add_external(cli::OptionParser& parser, bool& allow) {
    parser.add("allow-external", &allow,
               "read also what a recording refers to outside of its own folder (external storage, "
               "external links, sources of virtual datasets); without it such a recording is "
               "refused, because it could show any file of yours");
}

External external_from(bool allow) { return allow ? External::allow : External::refuse; }

int run_synth(int argc, const char* const* argv) {
    SynthOptions options;
    std::string layout = "v1.1";
    std::vector<std::string> effects = {"all"};
    std::vector<double> drift = {options.drift.low, options.drift.high};
    std::string size = fmt::format("{}x{}", options.height, options.width);
    cli::OptionParser parser("edgeloop-data synth",
                             "writes synthetic melt-pool recordings in the RAISE-LPBF layout.");
    parser.add("output", &options.output, "folder for the files");
    parser.add("layout", &layout, "v1.0 (objects in one file) or v1.1 (one file per object)");
    parser.add("objects", &options.objects, "number of objects");
    parser.add("layers", &options.layers, "layers of each object");
    parser.add("lines", &options.lines, "scan lines of each layer");
    parser.add("size", &size, "height and width of a frame, e.g. 64x64");
    parser.add("generator", &options.version,
               "version of the generator; 1: lines of one length, hardly any disturbance");
    parser.add("part-size", &options.part_size_mm,
               "mean width of the objects in mm; scan lines are cut to their cross-section");
    parser.add("effects", &effects,
               "what disturbs the recordings: all, none, or some of " + effect_names());
    parser.add("drift", &drift, "lowest and highest quantile of the drifts of objects, e.g. 0 0.5",
               between(0, 1));
    parser.add("line-length", &options.line_length_mm, "generator 1: length of a scan line in mm");
    parser.add("seed", &options.seed, "the same seed gives the same bytes");
    parser.add("threads", &options.threads, "threads to use; 0: all cores");
    parser.add("deflate", &options.deflate, "compression level of the frames, 0 to 9");
    parser.add("hide-test-labels", &options.hide_test_labels,
               "leave laser_params out of the test file (v1.0) or test objects (v1.1)");
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    options.layout = layout_from(layout);
    read_size(size, options.height, options.width);
    options.effects = effects_from(effects);
    if (drift.size() != 2)
        throw ConfigError(fmt::format("--drift has {} values", drift.size()), {},
                          "give the lowest and the highest quantile, e.g. --drift 0 0.5");
    options.drift = {drift[0], drift[1]};
    stop_soon_after_a_signal();
    ProgressBar bar("synth", "lines", false);
    const std::vector<std::string> files = synthesise(options, std::ref(bar));
    bar.finish();
    for (const std::string& file : files) print(file + "\n");
    return 0;
}

int run_shard(int argc, const char* const* argv) {
    ShardOptions options;
    bool allow_external = false;
    std::string split = name_of(options.split.mode), crop = name_of(options.crop);
    cli::OptionParser parser("edgeloop-data shard",
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
    parser.add(
        "crop", &crop,
        "what to crop around: causal (where a line begins to glow brightest in its first "
        "frames, all that a machine has seen when it has to answer) or published (the mean of "
        "all its frames)");
    parser.add("force", &options.force, "make all shards anew, replacing any that are there");
    add_external(parser, allow_external);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    options.external = external_from(allow_external);
    options.split.mode = split_mode_from(split);
    options.crop = crop_from(crop);
    int no_arguments = 0;
    char** no_values = nullptr;
    const MpiSession session(no_arguments, no_values);
    const Communicator world = session.world();
    stop_soon_after_a_signal();
    std::optional<ShardJob> job;
    world.agree("reading the input", [&] { job.emplace(options); });
    if (!world.is_same_on_all_ranks(job->settings_digest()))
        throw ConfigError("ranks read different recordings under the same names",
                          "their shards would not belong together",
                          "give every machine the same files, or a folder that all share");
    world.agree("preparing the folder", [&] {
        if (world.rank() == 0) job->prepare();
    });
    ProgressBar bar("shard", "frames", world.rank() != 0);
    world.agree("writing shards", [&] { job->write(world.rank(), world.size(), std::ref(bar)); });
    bar.finish();
    world.agree("writing the catalogue", [&] {
        if (world.rank() != 0) return;
        print(summary_of(job->finish(), options.output));
        print(baselines_text(options.output));
    });
    return 0;
}

/// Exit code 2 when a file has errors.
int run_inspect(int argc, const char* const* argv) {
    InspectOptions options;
    bool json = false, allow_external = false;
    cli::OptionParser parser("edgeloop-data inspect",
                             "describes RAISE-LPBF files and lists what is wrong with them.");
    parser.add("json", &json, "print JSON instead of text");
    parser.add("quick", &options.quick, "leave out what needs all frames to be read");
    parser.add("montage", &options.montage, "write a PNG with example lines to this file");
    add_external(parser, allow_external);
    parser.positional("FILE", &options.input, "RAISE-LPBF files or quoted patterns, either layout");
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    options.external = external_from(allow_external);
    stop_soon_after_a_signal();
    ProgressBar bar("inspect", "frames", false);
    const Inspection inspection = inspect(options, std::ref(bar));
    bar.finish();
    print(json ? to_json_text(inspection) : to_text(inspection));
    return static_cast<int>(inspection.has_errors() ? ExitCode::bad_input : ExitCode::done);
}

int run_clips(int argc, const char* const* argv) {
    ClipsOptions options;
    bool allow_external = false;
    cli::OptionParser parser("edgeloop-data clips",
                             "writes exactly what a model would see of each scan line.");
    parser.add("input", &options.input, "RAISE-LPBF files or quoted patterns, either layout");
    parser.add("output", &options.output, "HDF5 file to write");
    parser.add("frames", &options.frames, "frames of a window");
    parser.add("stride", &options.stride, "frames from one of the window to the next");
    parser.add("side", &options.side, "height and width after resizing");
    parser.add("center", &options.center,
               "centred windows as in validation instead of random ones as in training");
    parser.add("seed", &options.seed, "seed of the random windows");
    add_external(parser, allow_external);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    options.external = external_from(allow_external);
    stop_soon_after_a_signal();
    const std::uint64_t lines = write_clips(options);
    print(fmt::format("{} clips in {}\n", lines, options.output));
    return 0;
}

int run_labelled(int argc, const char* const* argv) {
    LabelledOptions options;
    std::uint64_t lines = 0;
    std::string short_lines = name_of(options.window.short_lines);
    cli::OptionParser parser("edgeloop-data labelled",
                             "writes clips with labels, from which edgeloop-edge adapt learns.");
    parser.add("data", &options.data, "folder of shards", needed_text());
    parser.add("output", &options.output, "safetensors file to write", needed_text());
    parser.add("part",
               cli::spelled(&options.part, {{"train", SplitPart::train},
                                            {"validation", SplitPart::validation},
                                            {"test", SplitPart::test}}),
               "which lines of the shards");
    parser.add("lines", &lines, "a choice of so many; 0: all");
    parser.add("frames", &options.window.frames, "frames of a clip: as many as the model takes",
               between(1, WindowRule::max_frames));
    parser.add("stride", &options.window.stride, "frames from one of the clip to the next",
               between(1, WindowRule::max_frames));
    parser.add("margin", &options.window.margin, "frames at each end of a line in no clip",
               between(0, WindowRule::max_frames));
    parser.add("short-lines", &short_lines, "skip, repeat or pad");
    parser.add("windows-per-line", &options.windows_per_line,
               "clips of each line, spread over it; of the part train 1", between(1, 4096));
    parser.add("seed", &options.seed, "of the choice");
    parser.group("Drift of the camera since the recordings");
    parser.add("gain", &options.drift.gain, "grey values times this, after the blur",
               between(0, 100));
    parser.add("offset", &options.drift.offset, "grey values plus this", between(-255, 255));
    parser.add("blur", &options.drift.blur_px, "standard deviation in pixels", between(0, 10));
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    options.lines = lines;
    options.window.short_lines = short_lines_from(short_lines);
    stop_soon_after_a_signal();
    const std::size_t clips = write_labelled(options);
    print(fmt::format("{} clips in {}\n", clips, options.output));
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    using namespace edgeloop;
    const auto body = [&] {
        return cli::run_subcommand(
            "edgeloop-data", "makes and prepares RAISE-LPBF melt-pool recordings.",
            {{"synth", "write synthetic recordings", run_synth},
             {"inspect", "describe recordings and list their problems", run_inspect},
             {"shard", "crop recordings into shards for training", run_shard},
             {"clips", "write what a model would see of each line", run_clips},
             {"labelled", "write clips with labels for edgeloop-edge adapt", run_labelled}},
            argc, argv);
    };
    return run_program(body, MpiSession::abort);
}
