#include "run_command.hpp"

#include "stream_run.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/inference/model_file.hpp"

#include <csignal>
#include <string>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int max_side = 1 << 14;

/// As typed.
struct Choices {
    std::string model, frames, size = fmt::format("{}x{}", crop_side, crop_side);
    std::string centre = "auto", format = "csv", output = "-", figures, cores;
    double rate = 20000, deadline_us = 0, stall_limit_s = 10;
    int stride = 0, threads = 1;
    bool is_live = false, has_reuse = true;

    void add_to(cli::OptionParser& parser);
};

void Choices::add_to(cli::OptionParser& parser) {
    parser.add("model", &model, "an .elm file (edgeloop-model export --format native)",
               needed_text());
    parser.group("Frames");
    parser.add("frames", &frames,
               "raw frames, uint8, one after the other: a file, or - for standard input",
               needed_text());
    parser.add("size", &size, "height and width of a frame, e.g. 128x128");
    parser.add("rate", &rate, "frames are taken at so many a second; 0: as fast as they come",
               at_least(0));
    parser.add("live", &is_live, "the source keeps the rate by itself, as a camera does");
    parser.add("stride", &stride, "frames from one window to the next; 0: as many as a window has",
               at_least(0));
    parser.add("centre", &centre,
               "middle of the square that is cut out, ROW,COLUMN; auto: where the first six frames "
               "are brightest");
    parser.group("Predictions");
    parser.add("output", &output, "where predictions go: a file, or - for standard output",
               needed_text());
    parser.add("format", &format, "of the predictions", one_of({"csv", "binary"}));
    parser.add("deadline-us", &deadline_us,
               "time from a window's last frame to its prediction, in microseconds; 0: until the "
               "next window is due",
               at_least(0));
    parser.add("stall-limit", &stall_limit_s,
               "seconds without a frame, or with a prediction that nobody takes, after which it "
               "ends; 0: waits for ever",
               at_least(0));
    parser.add("figures", &figures, "JSON file for what is printed at the end");
    parser.group("Computing");
    parser.add("threads", &threads, "of the network", between(1, 1024));
    parser.add("cores", &cores, "CPU cores to pin to, one for each thread, e.g. 2-3; empty: any");
    parser.add("reuse", &has_reuse, "do not compute again what windows have in common");
}

/// Two numbers of a text, e.g. of "128x96".
std::pair<int, int> two_numbers(const std::string& option, const std::string& text, char between_,
                                int low) {
    const std::size_t middle = text.find(between_);
    const std::string behind = middle == std::string::npos ? "" : text.substr(middle + 1);
    const int first = number_in<int>(text.substr(0, middle)).value_or(-1);
    const int second = number_in<int>(behind).value_or(-1);
    const auto can_be = [&](int number) { return number >= low && number <= max_side; };
    if (!can_be(first) || !can_be(second))
        throw ConfigError(fmt::format("{}: '{}' cannot be", option, text),
                          fmt::format("two numbers from {} to {} are expected", low, max_side),
                          fmt::format("write it like 41{}41", between_));
    return {first, second};
}

StreamSettings settings_of(const Choices& choices, int frames) {
    StreamSettings settings;
    std::tie(settings.height, settings.width) = two_numbers("--size", choices.size, 'x', 1);
    if (choices.centre != "auto") {
        const auto [row, column] = two_numbers("--centre", choices.centre, ',', 0);
        if (row >= settings.height || column >= settings.width)
            throw ConfigError(fmt::format("--centre: '{}' lies outside the frames", choices.centre),
                              fmt::format("they have {}", choices.size));
        settings.centre = PixelPosition{row, column};
    }
    settings.stride = choices.stride == 0 ? frames : choices.stride;
    settings.rate = choices.rate;
    settings.is_live = choices.is_live;
    settings.has_reuse = choices.has_reuse;
    settings.deadline_us = choices.deadline_us;
    if (settings.deadline_us == 0 && settings.rate > 0)
        settings.deadline_us = 1e6 * settings.stride / settings.rate;
    return settings;
}

inference::SessionOptions session_options(const Choices& choices) {
    inference::SessionOptions options;
    options.threads = choices.threads;
    options.cpus = parse_cpu_list(choices.cores);
    if (!options.cpus.empty() && options.cpus.size() != static_cast<std::size_t>(choices.threads))
        throw ConfigError(fmt::format("--cores: '{}' are not as many as --threads", choices.cores));
    if (!options.cpus.empty() && !pin_to_cpus({options.cpus.front()}))
        throw ConfigError(fmt::format("--cores: core {} is not there", options.cpus.front()));
    return options;
}

void report(const StreamRun& run, const StreamSettings& settings, const Choices& choices,
            const inference::CropModel& model) {
    fmt::print(stderr, "{}", run.figures().text(settings));
    if (!choices.figures.empty())
        write_file_atomic(choices.figures,
                          run.figures().json(settings, model.session().work()).dump(2) + "\n");
}

}  // namespace

int run_command(int argc, const char* const* argv) {
    Choices choices;
    cli::OptionParser parser("edgeloop-edge run",
                             "Predicts each window of a stream of frames as it comes.");
    choices.add_to(parser);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    install_stop_handlers();
    (void)std::signal(SIGPIPE, SIG_IGN);
    inference::Graph graph = inference::read_model(choices.model);
    const int frames = graph.input.grid[0];
    const StreamSettings settings = settings_of(choices, frames);
    inference::SessionOptions options = session_options(choices);
    options.stride = reused_stride(settings, frames);
    FrameSource source({choices.frames, settings.height, settings.width, choices.stall_limit_s,
                        [] { return stop_signal() != 0; }});
    inference::CropModel model(std::move(graph), options);
    PredictionSink sink(
        {choices.output, choices.format == "csv" ? PredictionFormat::csv : PredictionFormat::binary,
         choices.stall_limit_s},
        model.targets());
    StreamRun run(model, settings);
    try {
        run.run(source, sink);
    } catch (const Error&) {
        if (run.figures().windows > 0) report(run, settings, choices, model);
        throw;
    }
    report(run, settings, choices, model);
    return 0;
}

}  // namespace edgeloop
