#include "apps/data_commands.hpp"

#include "apps/progress_bar.hpp"

#include "edgeloop/cli/data_options.hpp"
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/data/catalogue.hpp"
#include "edgeloop/data/clips.hpp"
#include "edgeloop/data/inspect.hpp"
#include "edgeloop/data/shard.hpp"
#include "edgeloop/data/synth.hpp"

#include <cstdio>
#include <optional>

#include <fmt/format.h>

namespace edgeloop {
namespace {

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
    if (catalogue.part(SplitPart::validation).targets.lines > 0)
        text += fmt::format("val_rmse of always predicting the training mean: {:.4f}\n",
                            mean_predictor_rmse(catalogue, SplitPart::validation));
    return text;
}

}  // namespace

int run_synth(int argc, const char* const* argv) {
    const std::optional<SynthOptions> options = cli::parse_synth_options(argc, argv);
    if (!options) return 0;
    install_stop_handlers();
    ProgressBar bar("synth", "lines", false);
    const std::vector<std::string> files =
        synthesise(*options, [&bar](const JobProgress& progress) { bar(progress); });
    bar.finish();
    for (const std::string& file : files) print(file + "\n");
    return 0;
}

int run_shard(int argc, const char* const* argv) {
    const std::optional<ShardOptions> options = cli::parse_shard_options(argc, argv);
    if (!options) return 0;
    int no_arguments = 0;
    char** no_values = nullptr;
    const MpiSession session(no_arguments, no_values);
    const Communicator world = session.world();
    install_stop_handlers();
    std::optional<ShardJob> job;
    world.agree("reading the input", [&] { job.emplace(*options); });
    if (!world.is_same_on_all_ranks(job->settings_digest()))
        throw ConfigError("ranks read different recordings under the same names",
                          "their shards would not belong together",
                          "give every machine the same files, or a folder that all share");
    world.agree("preparing the folder", [&] {
        if (world.rank() == 0) job->prepare();
    });
    ProgressBar bar("shard", "frames", world.rank() != 0);
    world.agree("writing shards", [&] {
        job->write(world.rank(), world.size(),
                   [&bar](const JobProgress& progress) { bar(progress); });
    });
    bar.finish();
    world.agree("writing the catalogue", [&] {
        if (world.rank() == 0) print(summary_of(job->finish(), options->output));
    });
    return 0;
}

int run_inspect(int argc, const char* const* argv) {
    const std::optional<cli::InspectCommand> command = cli::parse_inspect_options(argc, argv);
    if (!command) return 0;
    install_stop_handlers();
    ProgressBar bar("inspect", "frames", false);
    const Inspection inspection =
        inspect(command->inspect, [&bar](const JobProgress& progress) { bar(progress); });
    bar.finish();
    print(command->form == cli::ReportForm::json ? to_json_text(inspection) : to_text(inspection));
    return static_cast<int>(inspection.has_errors() ? ExitCode::bad_input : ExitCode::done);
}

int run_clips(int argc, const char* const* argv) {
    const std::optional<ClipsOptions> options = cli::parse_clips_options(argc, argv);
    if (!options) return 0;
    install_stop_handlers();
    const std::uint64_t lines = write_clips(*options);
    print(fmt::format("{} clips in {}\n", lines, options->output));
    return 0;
}

}  // namespace edgeloop
