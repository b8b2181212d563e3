#include "edgeloop/deploy/handover.hpp"

#include "deploy/model_card.hpp"
#include "deploy/model_files.hpp"
#include "deploy/new_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

std::string pretty(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

HandoverRequest handover_of(const TrainedModel& model) {
    HandoverRequest request;
    request.network = stored_network(model);
    request.origin = model;
    return request;
}

HandoverRequest handover_of(const Selection& selection) {
    if (selection.weights_file.empty())
        throw ConfigError(
            fmt::format("the search '{}' kept no weights of design {}", selection.run_dir,
                        selection.id),
            "it ran without --save-weights",
            "train the design, edgeloop-model train --from RUN_DIR --select ID, and deploy the "
            "trained folder with --model");
    HandoverRequest request;
    request.network.name = fmt::format("{}, design {}", selection.run_dir, selection.id);
    request.network.spec = selection.spec;
    request.network.weights_file = selection.weights_file;
    request.origin.spec = selection.spec;
    request.origin.from_run_dir = selection.run_dir;
    request.origin.from_id = selection.id;
    request.origin.from_objectives = selection.objectives;
    request.origin.promise = selection.promise;
    return request;
}

Handover hand_over(const HandoverRequest& given) {
    NewFolder folder(given.out);  // refused before the work
    HandoverRequest request = given;
    const auto dataset = std::make_shared<const Dataset>(request.shards);
    const Catalogue& catalogue = dataset->catalogue();
    Handover made;
    made.folder = request.out;
    made.assessment =
        evaluate_part(request.network, request.shards, dataset, request.options).assessment;
    request.network.targets = request.origin.targets = catalogue.targets;
    if (!request.network.rules_known) request.network.rules.crop = catalogue.crop;
    const TestClips clips =
        test_clips(dataset, request.options.part, request.network.window(), request.test_windows);
    made.vectors = clips.count();
    const auto write = [&](const std::string& name, std::string_view bytes, bool program = false) {
        folder.write(name, bytes, program);
        made.files.push_back(name);
    };
    DeployedFiles files = make_model_files(request, clips, folder.temporary());
    made.left_out = files.left_out;
    for (DeployedFile& file : files.made) {
        made.files.push_back(file.name);
        write(file.name + ".vectors.safetensors",
              vectors_of(file, clips.names, request.origin.promise));
        file.report.examples = {};  // as large as the vectors
    }
    write("spec.json", pretty(request.network.spec.to_json()));
    write("weights.safetensors", read_file(request.network.weights_file));
    write("evaluation.json", pretty(to_json(made.assessment)));
    for (const ShippedFile& program : shipped_checkers())
        write(program.name, program.text, std::string(program.name) == "check.py");
    write("MODEL_CARD.md", model_card(request, catalogue, made.assessment, files));
    write("README.md", handover_readme(request, files, made.vectors));
    folder.commit();
    return made;
}

}  // namespace edgeloop
