#include "deploy/model_files.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

struct Form {
    const char* name;
    ModelFormat format;
    FilePrecision precision;
    int batch;
    bool with_preprocessing;
};

constexpr std::array<Form, 10> forms{
    {{"model.onnx", ModelFormat::onnx, FilePrecision::float32, 1, false},
     {"model-free-batch.onnx", ModelFormat::onnx, FilePrecision::float32, 0, false},
     {"model-float16.onnx", ModelFormat::onnx, FilePrecision::float16, 1, false},
     {"model-int8.onnx", ModelFormat::onnx, FilePrecision::int8, 1, false},
     {"model-crops.onnx", ModelFormat::onnx, FilePrecision::float32, 1, true},
     {"model-crops-float16.onnx", ModelFormat::onnx, FilePrecision::float16, 1, true},
     {"model-crops-int8.onnx", ModelFormat::onnx, FilePrecision::int8, 1, true},
     {"model.pt", ModelFormat::torchscript, FilePrecision::float32, 1, false},
     {"model-crops.pt", ModelFormat::torchscript, FilePrecision::float32, 1, true},
     {"model.elm", ModelFormat::native, FilePrecision::float32, 1, false}}};

/// Not every network has the other forms.
bool every_network_has(const Form& form) {
    return form.precision == FilePrecision::float32 && form.format != ModelFormat::native;
}

const Form& form_named(const std::string& name) {
    const auto* const found = std::find_if(forms.begin(), forms.end(),
                                           [&](const Form& form) { return form.name == name; });
    if (found == forms.end())
        throw ConfigError(fmt::format("unknown model file '{}'", printable(name)), {},
                          fmt::format("use some of {}", fmt::join(model_file_names(), ", ")));
    return *found;
}

/// Rounded answers differ between processors by some roundings: of float16's 11 bits, of int8's
/// 256 steps over a tensor.
double rounding_tolerance(FilePrecision precision) {
    constexpr double of_float16 = 4.0 / 2048, of_int8 = 4.0 / 256;
    return precision == FilePrecision::float16 ? of_float16 : of_int8;
}

DeployedFile file_of(const HandoverRequest& request, const Form& form, const TestClips& clips,
                     const std::string& folder) {
    DeployedFile file;
    file.name = form.name;
    ExportRequest& wanted = file.request;
    wanted.network = request.network;
    wanted.format = form.format;
    wanted.precision = form.precision;
    wanted.batch = form.batch;
    wanted.with_preprocessing = form.with_preprocessing;
    wanted.data = request.shards;
    wanted.examples = clips.crops;
    wanted.provenance = {{"trained_in_full", !request.origin.repeats.empty()}};
    if (!request.origin.from_run_dir.empty()) {
        wanted.provenance["run_dir"] = request.origin.from_run_dir;
        wanted.provenance["design"] = request.origin.from_id;
    }
    wanted.output = folder + '/' + form.name;
    file.report = export_model(wanted);
    file.report.file = form.name;
    if (form.precision != FilePrecision::float32)
        file.absolute_tolerance = file.relative_tolerance = rounding_tolerance(form.precision);
    if (form.with_preprocessing) {  // the rule is in normalised units
        double smallest = file.report.targets.front().scale;
        for (const Target& target : file.report.targets)
            smallest = std::min(smallest, target.scale);
        file.absolute_tolerance *= smallest;
    }
    return file;
}

}  // namespace

std::vector<std::string> model_file_names() {
    std::vector<std::string> names;
    for (const Form& form : forms) names.emplace_back(form.name);
    return names;
}

DeployedFiles make_model_files(const HandoverRequest& request, const TestClips& clips,
                               const std::string& folder) {
    std::vector<const Form*> wanted;
    for (const std::string& name : request.files) wanted.push_back(&form_named(name));
    DeployedFiles files;
    for (const Form* form : wanted) {
        try {
            files.made.push_back(file_of(request, *form, clips, folder));
            request.say(to_text(files.made.back().report, files.made.back().request));
        } catch (const ConfigError& error) {
            if (every_network_has(*form)) throw;
            files.left_out.push_back(fmt::format("{}: {}", form->name, error.what()));
            request.say(fmt::format("{} is left out: {}\n", form->name, error.what()));
        }
    }
    return files;
}

std::string about(const DeployedFile& file) {
    std::string text = "TorchScript";
    if (file.request.format == ModelFormat::onnx) text = "ONNX, operator set 17";
    if (file.request.format == ModelFormat::native) text = "for edgeloop's own runtime";
    text += file.request.with_preprocessing
                ? fmt::format(": uint8 crops to {}", to_text(file.report.targets))
                : ": clips to targets divided by their scales";
    const RmseRatio& change = file.report.change;
    if (change.windows > 0)
        text += fmt::format("; RMSE {:+.2f} % ({:+.2f} to {:+.2f})", 100 * (change.all.value - 1),
                            100 * (change.all.low - 1), 100 * (change.all.high - 1));
    return text;
}

}  // namespace edgeloop
