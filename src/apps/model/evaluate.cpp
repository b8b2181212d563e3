#include "commands.hpp"
#include "searched_run.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/data/output_file.hpp"
#include "edgeloop/deploy/evaluation.hpp"
#include "edgeloop/model/threads.hpp"

#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

struct Wishes {
    std::string model, spec, weights, data;
    std::string baseline, baseline_weights;
    std::vector<std::string> recordings;
    std::string predictions;
    std::string crop, short_lines;  // empty: as trained
    int margin = -1;                // negative: as trained
    int threads = 1;
    bool json = false, allow_external = false;
    EvaluationOptions options;
};

void add_options(cli::OptionParser& parser, Wishes& wishes) {
    parser.add("model", &wishes.model,
               "folder of edgeloop-model train, or models/ID of a search with --save-weights");
    parser.add("spec", &wishes.spec,
               "instead of --model: design, a JSON file or a shipped one by name");
    parser.add("weights", &wishes.weights, "with --spec: its weights, a safetensors file");
    parser.add("data", &wishes.data, "folder of shards");
    parser.add("part",
               cli::spelled(&wishes.options.part, {{"test", SplitPart::test},
                                                   {"validation", SplitPart::validation},
                                                   {"prediction", SplitPart::prediction}}),
               "which lines of the shards; prediction: those without labels");
    parser.add("recording", &wishes.recordings,
               "instead of --data: RAISE-LPBF files or quoted patterns, with or without labels");
    parser.add("allow-external", &wishes.allow_external,
               "read also what a recording refers to outside of its own folder");
    parser.add("predictions", &wishes.predictions,
               "CSV file to write: each line with what is predicted and what is true");
    parser.add("baseline", &wishes.baseline,
               "network to compare with: a folder as for --model, or a spec");
    parser.add("baseline-weights", &wishes.baseline_weights,
               "weights of a --baseline that is a spec");
    parser.add(
        "resample-by",
        cli::spelled(&wishes.options.unit, {{"auto", std::nullopt},
                                            {"line", ResampledBy::line},
                                            {"layer", ResampledBy::layer},
                                            {"object", ResampledBy::object}}),
        "what the intervals' resamples draw as a whole; auto: the largest of which there are "
        "10");
    parser.add("resamples", &wishes.options.bootstrap.resamples, "of the intervals",
               between(100, 1'000'000));
    parser.add("seed", &wishes.options.bootstrap.seed, "of the resamples");
    parser.add(
        "margin", &wishes.margin,
        "frames at each end of a line in no window; -1: as trained, 6 when that is not known",
        between(-1, WindowRule::max_frames));
    parser.add("short-lines", &wishes.short_lines,
               "skip, repeat or pad; empty: as trained, skip when that is not known");
    parser.add("crop", &wishes.crop,
               "of --recording: causal or published; empty: as trained, causal when that is not "
               "known");
    parser.add("batch", &wishes.options.batch, "clips at a time", between(1, 4096));
    parser.add("threads", &wishes.threads, "compute threads", at_least(1));
    add_device(parser, wishes.options.processor);
    parser.add("json", &wishes.json, "print JSON instead of text");
}

void check(const Wishes& wishes) {
    if (wishes.model.empty() == wishes.spec.empty())
        throw ConfigError("one network is to be evaluated", {},
                          "give --model, or --spec and --weights");
    if (wishes.spec.empty() != wishes.weights.empty())
        throw ConfigError("--spec and --weights belong together", {}, "give both, or --model");
    if (wishes.data.empty() == wishes.recordings.empty())
        throw ConfigError("there is nothing to predict, or too much", {},
                          "give --data or --recording");
    const bool unlabelled = wishes.options.part == SplitPart::prediction;
    if (wishes.predictions.empty() && (unlabelled || !wishes.recordings.empty()))
        throw ConfigError("the predictions would go nowhere", {}, "add --predictions FILE.csv");
    if (!wishes.baseline.empty() && (unlabelled || !wishes.recordings.empty()))
        throw ConfigError("--baseline compares on a part of --data that is labelled");
    if (!wishes.baseline_weights.empty() && wishes.baseline.empty())
        throw ConfigError("--baseline-weights needs --baseline SPEC");
    if (!wishes.predictions.empty()) check_output_file(wishes.predictions);
}

StoredNetwork with_rules(StoredNetwork network, const Wishes& wishes) {
    if (wishes.margin >= 0) network.rules.margin = wishes.margin;
    if (!wishes.short_lines.empty())
        network.rules.short_lines = short_lines_from(wishes.short_lines);
    return network;
}

/// A member of a front, models/ID, has the windows and lines of its search.
StoredNetwork network_in(const std::string& folder) {
    namespace fs = std::filesystem;
    StoredNetwork network = stored_network(folder);
    const fs::path models = fs::absolute(folder + "/spec.json").parent_path().parent_path();
    const fs::path run = models.parent_path();
    if (!network.rules_known && models.filename() == "models" && fs::exists(run / "config.ini"))
        take_rules(searched_run(run.string()), network);
    return network;
}

StoredNetwork wanted_network(const Wishes& wishes) {
    return with_rules(wishes.model.empty() ? stored_network(wishes.spec, wishes.weights)
                                           : network_in(wishes.model),
                      wishes);
}

StoredNetwork wanted_baseline(const Wishes& wishes) {
    if (wishes.baseline_weights.empty()) return with_rules(network_in(wishes.baseline), wishes);
    return with_rules(stored_network(wishes.baseline, wishes.baseline_weights), wishes);
}

void print(const Assessment& assessment, bool json) {
    fmt::print("{}",
               json ? to_json(assessment).dump(2, ' ', false, Json::error_handler_t::replace) + '\n'
                    : to_text(assessment));
}

void write_predictions(const Predictions& predictions, const Wishes& wishes) {
    if (wishes.predictions.empty()) return;
    write_file_atomic(wishes.predictions, to_csv(predictions));
}

void predict_unlabelled(const Predictions& predictions, const Wishes& wishes) {
    write_predictions(predictions, wishes);
    const std::size_t left_out = predictions.left_out();
    if (wishes.json)
        fmt::print("{}\n", Json{{"lines", predictions.lines.size() - left_out},
                                {"left_out", left_out},
                                {"predictions", wishes.predictions}}
                               .dump(2));
    else
        fmt::print("{}: {} predicted, none of them labelled; {} without room for a window\n",
                   wishes.predictions, plural(predictions.lines.size() - left_out, "line"),
                   left_out);
}

void evaluate_recordings(const Wishes& wishes) {
    StoredNetwork network = wanted_network(wishes);
    if (!wishes.crop.empty()) network.rules.crop = crop_from(wishes.crop);
    const std::vector<Target> targets = network.targets.empty() ? raise_targets() : network.targets;
    const Predictor predictor(network.spec, network.weights_file, targets.size(),
                              wishes.options.processor);
    const Predictions predictions =
        predict_recordings(predictor, wishes.recordings, targets, network.rules.crop,
                           wishes.allow_external ? External::allow : External::refuse,
                           network.window(), wishes.options.batch);
    if (scored_windows(predictions, ResampledBy::line).windows() == 0) {
        predict_unlabelled(predictions, wishes);
        return;
    }
    Assessment assessment = assessment_of(predictions, wishes.options);
    assessment.network = network.name;
    assessment.data = fmt::format("{}", fmt::join(wishes.recordings, " "));
    assessment.left_out = predictions.left_out();
    write_predictions(predictions, wishes);
    print(assessment, wishes.json);
}

void evaluate_shards(const Wishes& wishes) {
    const StoredNetwork network = wanted_network(wishes);
    const auto dataset = std::make_shared<const Dataset>(wishes.data);
    if (wishes.options.part == SplitPart::prediction) {
        predict_unlabelled(predict_part(network, wishes.data, dataset, wishes.options), wishes);
        return;
    }
    StoredNetwork other;
    Predictions of_other;
    if (!wishes.baseline.empty()) {
        other = wanted_baseline(wishes);
        of_other = predict_part(other, wishes.data, dataset, wishes.options);
    }
    PartAssessment made = evaluate_part(network, wishes.data, dataset, wishes.options);
    if (!wishes.baseline.empty()) {
        made.assessment.other = other.name;
        add_other(made.predictions, std::move(of_other), wishes.options, made.assessment);
    }
    write_predictions(made.predictions, wishes);
    print(made.assessment, wishes.json);
}

}  // namespace

int evaluate_command(int argc, const char* const* argv) {
    Wishes wishes;
    cli::OptionParser parser(
        "edgeloop-model evaluate",
        "Says how well a trained network predicts lines that it has not seen, with 95 % intervals, "
        "beside what can be had without a network; or predicts recordings without labels.");
    add_options(parser, wishes);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    check(wishes);
    install_stop_handlers();
    limit_stopping();
    set_compute_threads(wishes.threads);
    if (wishes.recordings.empty())
        evaluate_shards(wishes);
    else
        evaluate_recordings(wishes);
    return 0;
}

}  // namespace edgeloop
