#include "deploy/model_card.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

bool is_trained_in_full(const HandoverRequest& request) { return !request.origin.repeats.empty(); }

std::string input_section(const HandoverRequest& request) {
    const ClipShape& clip = request.network.spec.clip;
    const WindowRule window = request.network.window();
    return fmt::format(
        "## What it predicts\n\n"
        "It predicts {} of a scan line in laser powder bed fusion, from {} frames of the camera, "
        "each {} "
        "frame{} "
        "after the one before.\n\n"
        "A clip is made so: cut {} x {} pixels around the melt pool (`--crop {}`) out of every "
        "frame, "
        "turn a grey value x into (x / 255 - {}) / {}, resize to {} x {} (bilinear, half-pixel "
        "centres, no antialias). Shape (1, 1, {}, {}, {}), float32. The network gives each target "
        "divided by its scale. Files of crops do all but the cutting by themselves and give "
        "units.\n\n"
        "Frames closer than {} to either end of a line were in no window. Lines without room for "
        "one: "
        "`--short-lines {}`.\n\n",
        to_text(request.origin.targets), clip.frames, clip.stride, clip.stride == 1 ? "" : "s",
        crop_side, crop_side, name_of(request.network.rules.crop), clip.mean, clip.deviation,
        clip.side, clip.side, clip.frames, clip.side, clip.side, window.margin,
        name_of(window.short_lines));
}

std::string targets_table(const std::vector<Target>& targets) {
    std::string text = "| output | target | unit | scale |\n| --- | --- | --- | --- |\n";
    for (std::size_t t = 0; t < targets.size(); ++t)
        text += fmt::format("| {} | {} | {} | {} |\n", t, targets[t].name, targets[t].unit,
                            shortest(targets[t].scale));
    return text + '\n';
}

std::string network_section(const ArchitectureSpec& spec) {
    const ModelCounts counts = count(spec);
    return fmt::format(
        "## Network\n\nFamily {}, {} parameters, {} floating-point operations a clip; `spec.json` "
        "has "
        "all of it.\n\n",
        spec.family, counts.parameters, counts.flops);
}

std::string spread_table(const TrainedModel& model) {
    std::string text = fmt::format(
        "Trained {} with different seeds; handed over is number {}, the best by validation, as of "
        "epoch {}. On the validation part:\n\n"
        "| metric | mean | standard deviation | handed over |\n| --- | --- | --- | --- |\n",
        plural(model.repeats.size(), "time"), model.chosen + 1, model.best().best_epoch);
    for (const auto& [name, spread] : model.metrics) {
        const auto own = model.best().metrics.find(name);
        text += fmt::format(
            "| {} | {:.5g} | {} | {} |\n", name, spread.mean,
            spread.n > 1 ? fmt::format("{:.2g}", spread.sd) : "-",
            own != model.best().metrics.end() ? fmt::format("{:.5g}", own->second) : "-");
    }
    return text + '\n';
}

std::string training_section(const HandoverRequest& request, const Catalogue& catalogue) {
    const TrainedModel& origin = request.origin;
    const TrainingRecipe& recipe = request.network.spec.training;
    std::string text = "## Training\n\n";
    if (!is_trained_in_full(request))
        text +=
            "**Not trained in full: these are the weights that a search kept, trained with its "
            "budget. `edgeloop-model train` trains the design in full.**\n\n";
    if (!origin.from_run_dir.empty()) {
        text += fmt::format("Design {} of the search `{}`", origin.from_id,
                            printable(origin.from_run_dir));
        for (const auto& [name, value] : origin.from_objectives)
            text += fmt::format(", {} {:.5g}", name, value);
        text += " there.\n\n";
    }
    text += fmt::format(
        "Recipe: {}, learning rate {}, weight decay {}, batch {}, at most {} epochs, schedule "
        "{}.\n\n",
        recipe.optimizer, shortest(recipe.learning_rate), shortest(recipe.weight_decay),
        recipe.batch_text(), recipe.epochs, recipe.schedule);
    if (is_trained_in_full(request)) text += spread_table(origin);
    text +=
        fmt::format("Data: shards `{}`, digest `{}`, split by {} with seed {}, cropped as {}.\n\n",
                    printable(request.shards),
                    origin.dataset_digest.empty() ? catalogue.digest : origin.dataset_digest,
                    name_of(catalogue.split.mode), catalogue.split.seed, name_of(catalogue.crop));
    if (!origin.dataset_digest.empty() && origin.dataset_digest != catalogue.digest)
        text += fmt::format("The figures below are of other shards, digest `{}`.\n\n",
                            catalogue.digest);
    text += "| part | layers | lines | frames |\n| --- | --- | --- | --- |\n";
    for (int i = 0; i < split_part_count; ++i) {
        const auto part = static_cast<SplitPart>(i);
        const PartSummary& summary = catalogue.part(part);
        if (summary.layers > 0)
            text += fmt::format("| {} | {} | {} | {} |\n", name_of(part), summary.layers,
                                summary.lines, summary.frames);
    }
    return text + '\n';
}

std::string latency_section(const Promise& promise) {
    const auto latency = promise.metrics.find("latency_ms");
    if (latency == promise.metrics.end()) return {};
    if (promise.modelled)
        return fmt::format(
            "## Latency\n\n{:.4g} ms, computed by a model; no device measured it.\n\n",
            latency->second);
    return fmt::format(
        "## Latency\n\nThe search measured {:.4g} ms on {} (class {}, runtime {}, {} threads). "
        "`edgeloop-bridge submit --model` compares a device with it.\n\n",
        latency->second, printable(promise.device), printable(promise.device_class),
        printable(promise.runtime), promise.threads);
}

std::string limits_section(const HandoverRequest& request, const Catalogue& catalogue) {
    std::string text = fmt::format(
        "## Limits\n\n"
        "- It has seen the material, machine, camera, frame rate and parameters of its training "
        "data. "
        "What it says of others is not known.\n"
        "- Its answers for targets outside of the range of the table above are not known.\n"
        "- It gives numbers, and not how sure it is of them. It must not be the only safeguard of "
        "a "
        "process.\n"
        "- Lines with fewer than {} frames were not judged.\n",
        std::max<std::size_t>(request.network.window().needed(),
                              std::size_t(request.network.rules.shortest_line)));
    if (catalogue.split.mode == SplitMode::layer)
        text +=
            "- The split is by layer: other layers of the same objects were trained on. Objects "
            "that "
            "it has not seen may have larger errors.\n";
    return text + '\n';
}

std::string licence_section(const HandoverRequest& request) {
    return fmt::format("## Licence of the data\n\n{}\n\n",
                       request.licence.empty()
                           ? "Not stated: shards do not carry it. Ask whoever gave you the "
                             "recordings before you pass "
                             "the model or its test vectors on, which hold clips of them."
                           : printable(request.licence));
}

std::string files_table(const DeployedFiles& files) {
    std::string text = "| file | precision | first axis | what |\n| --- | --- | --- | --- |\n";
    for (const DeployedFile& file : files.made)
        text +=
            fmt::format("| `{}` | {} | {} | {} |\n", file.name, to_string(file.request.precision),
                        file.batch() == 0 ? "any" : std::to_string(file.batch()), about(file));
    text += '\n';
    for (const std::string& left_out : files.left_out)
        text += "Not made: " + printable(left_out) + "\n\n";
    return text;
}

/// The first file in a form, or nothing.
std::string first_file(const DeployedFiles& files, ModelFormat format) {
    for (const DeployedFile& file : files.made)
        if (file.request.format == format) return file.name;
    return {};
}

}  // namespace

std::string model_card(const HandoverRequest& request, const Catalogue& catalogue,
                       const Assessment& assessment, const DeployedFiles& files) {
    return fmt::format("# Model card\n\nMade by edgeloop {}.\n\n", version()) +
           input_section(request) + targets_table(request.origin.targets) +
           network_section(request.network.spec) + training_section(request, catalogue) +
           fmt::format(
               "## Figures\n\n`edgeloop-model evaluate` on the part {}, root mean square "
               "errors (RMSE) with 95 % intervals:\n\n```\n{}```\n\n",
               assessment.part, printable_lines(to_text(assessment))) +
           latency_section(request.origin.promise) + limits_section(request, catalogue) +
           licence_section(request) + "## Files\n\n" + files_table(files) +
           "`README.md` says how to run and check them.\n";
}

std::string handover_readme(const HandoverRequest& request, const DeployedFiles& files,
                            std::size_t vectors) {
    std::string text = fmt::format(
        "# A model to run\n\nPredicts {}. `MODEL_CARD.md` says how well, from what, and what it "
        "must "
        "not be used for.\n\n{}"
        "Each model file has {} test vectors in `FILE.vectors.safetensors`: inputs, the answers "
        "that "
        "are expected, and how far an answer may be from them.\n\n"
        "## Check it where it will run\n\n"
        "In Python, with numpy and onnxruntime or torch:\n\n```sh\npython3 check.py\n```\n\n",
        to_text(request.origin.targets), files_table(files), vectors);
    const std::string onnx = first_file(files, ModelFormat::onnx);
    if (!onnx.empty())
        text += fmt::format(
            "In C++, with ONNX Runtime; DIR is where its `onnxruntime_c_api.h` lies:\n\n"
            "```sh\nc++ -std=c++17 -O2 check.cpp -I DIR -l onnxruntime -o check\n./check {}\n"
            "```\n\n",
            onnx);
    const std::string any = onnx.empty() ? first_file(files, ModelFormat::torchscript) : onnx;
    return text +
           fmt::format(
               "They say `ok`, or which vector differs, and exit with 0 or 1. They are also "
               "examples "
               "of how the files are loaded and run.\n\n"
               "An agent of edgeloop checks answers and latency of a file:\n\n"
               "```sh\nedgeloop-edge measure --model {0} --vectors {0}.vectors.safetensors\n```\n\n"
               "| other file | what |\n| --- | --- |\n"
               "| `spec.json`, `weights.safetensors` | the network as edgeloop has it |\n"
               "| `evaluation.json` | the figures of the model card for programs |\n"
               "| `check.py`, `check.cpp` | the programs above |\n",
               any);
}

}  // namespace edgeloop
