#include "commands.hpp"
#include "searched_run.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/deploy/handover.hpp"
#include "edgeloop/deploy/selection.hpp"
#include "edgeloop/model/threads.hpp"

#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

struct Wishes {
    std::string model, from, select = "knee", data, out, licence;
    std::vector<std::string> files = model_file_names();
    int threads = 1;
    EvaluationOptions options;
};

HandoverRequest wanted(const Wishes& wishes) {
    if (!wishes.model.empty() && (wishes.from.empty() || holds_trained_model(wishes.model)))
        return handover_of(TrainedModel::load(wishes.model));
    if (wishes.from.empty())
        throw ConfigError("nothing to deploy was given", {},
                          "give --model, a trained folder, or --from, a run directory");
    HandoverRequest request = handover_of(select(wishes.from, wishes.select));
    take_rules(searched_run(wishes.from), request.network);
    request.origin.dataset_digest = request.network.data_digest;
    return request;
}

}  // namespace

int deploy_command(int argc, const char* const* argv) {
    Wishes wishes;
    cli::OptionParser parser(
        "edgeloop-model deploy",
        "Makes a folder to hand over: model files, test vectors, a model card, and programs that "
        "check the files where they will run.");
    parser.add("model", &wishes.model, "folder of edgeloop-model train");
    parser.add("from", &wishes.from,
               "run directory of a search with --save-weights: its weights, when there is no "
               "--model, or no trained network in it yet");
    parser.add("select", &wishes.select,
               "with --from: a member of the front by id, or knee, fastest or best");
    parser.add("data", &wishes.data, "folder of shards: for the figures and the test vectors",
               needed_text());
    parser.add("part",
               cli::spelled(&wishes.options.part,
                            {{"test", SplitPart::test}, {"validation", SplitPart::validation}}),
               "which lines of the shards");
    parser.add("licence", &wishes.licence,
               "licence of the data as their owner states it, for the model card");
    parser.add("resamples", &wishes.options.bootstrap.resamples, "of the intervals",
               between(100, 1'000'000));
    parser.add("seed", &wishes.options.bootstrap.seed, "of the resamples");
    parser.add("batch", &wishes.options.batch, "clips at a time", between(1, 4096));
    parser.add("threads", &wishes.threads, "compute threads", at_least(1));
    parser.add("files", &wishes.files, "model files to make");
    parser.add("out", &wishes.out, "folder to make; it must not be there, or be empty",
               needed_text());
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    install_stop_handlers();
    set_compute_threads(wishes.threads);
    HandoverRequest request = wanted(wishes);
    request.shards = wishes.data;
    request.options = wishes.options;
    request.licence = wishes.licence;
    request.out = wishes.out;
    request.files = wishes.files;
    request.say = [](const std::string& line) {
        fmt::print("{}", line);
        std::fflush(stdout);
    };
    const Handover made = hand_over(request);
    fmt::print(
        "{}: {}\n{} test vectors for each model file; RMSE on the part {}: {:.4f} ({:.4f} to "
        "{:.4f})\n",
        made.folder, fmt::join(made.files, ", "), made.vectors, made.assessment.part,
        made.assessment.scores.rmse.value, made.assessment.scores.rmse.low,
        made.assessment.scores.rmse.high);
    return 0;
}

}  // namespace edgeloop
