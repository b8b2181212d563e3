#include "adapt_command.hpp"

#include "edgeloop/adaptation/adapt.hpp"
#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/inference/model_file.hpp"

#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

void add_options(cli::OptionParser& parser, adaptation::AdaptOptions& options, bool& json) {
    using adaptation::Method;
    parser.add("model", &options.model, "an .elm file; its network is of the family cnn3d",
               needed_text());
    parser.add("labelled", &options.labelled,
               "clips with labels, a safetensors file (edgeloop-data labelled)", needed_text());
    parser.add("out", &options.out, "the .elm file to write; may be the model itself",
               needed_text());
    parser.add("memory-limit-mib", &options.memory_limit_mib,
               "of weights, gradients, states and results while it learns, in MiB; 0: none",
               at_least(0));
    parser.add("json", &json, "print JSON instead of text");
    parser.group("Learning");
    parser.add(
        "optimizer",
        cli::spelled(&options.optimiser.method, {{"adam", Method::adam}, {"sgd", Method::sgd}}),
        "with states of 8 bits; sgd: with momentum");
    parser.add("learning-rate", &options.learning_rate, "of the first step; it falls to 0",
               more_than(0));
    parser.add("momentum", &options.optimiser.momentum, "of sgd, or of adam's first moment",
               between(0, 0.999));
    parser.add("epochs", &options.epochs, "times that each clip is learnt from",
               between(1, 100'000));
    parser.add("batch", &options.batch, "clips whose gradients are added up for a step",
               between(1, 100'000));
    parser.add("held-back", &options.held_back, "share of the lines by which both are judged",
               between(0.05, 0.9));
    parser.add("seed", &options.seed, "of the lines held back, the order and the rounding");
}

std::string text_of(const adaptation::AdaptReport& report,
                    const std::vector<inference::OutputTarget>& targets) {
    std::string text = fmt::format("{} clips of {} lines, {} lines held back\n", report.clips,
                                   report.lines, report.held_back);
    for (std::size_t k = 0; k < targets.size(); ++k)
        text += fmt::format("{:<10} R2 {:.3f} before, {:.3f} after\n", targets[k].name,
                            report.before.r2[k], report.after.r2[k]);
    text += fmt::format("RMSE over scales {:.4f} before, {:.4f} after\n", report.before.rmse,
                        report.after.rmse);
    return text + fmt::format("{:.2f} MiB to learn in ({} segments), {:.1f} s\n",
                              static_cast<double>(report.state_bytes()) / bytes_per_mib,
                              report.segments, report.seconds);
}

}  // namespace

int adapt_command(int argc, const char* const* argv) {
    adaptation::AdaptOptions options;
    bool json = false;
    cli::OptionParser parser("edgeloop-edge adapt",
                             "Lets a model go on learning from labelled clips of this machine.");
    add_options(parser, options, json);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    install_stop_handlers();
    limit_stopping();
    options.stop = [] { return stop_signal() != 0; };
    const adaptation::AdaptReport report = adaptation::adapt(options);
    if (json)
        fmt::print("{}\n", report.json().dump(2, ' ', false, Json::error_handler_t::replace));
    else
        fmt::print("{}",
                   text_of(report, inference::targets_of(inference::read_model(options.model))));
    if (!report.is_kept)
        throw ConfigError("the adapted model is not kept", report.why_not,
                          fmt::format("nothing was written to '{}'", options.out));
    return 0;
}

}  // namespace edgeloop
