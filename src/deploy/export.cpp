#include "edgeloop/deploy/export.hpp"

#include "deploy/exported_network.hpp"
#include "deploy/file_comparison.hpp"
#include "deploy/native_file.hpp"
#include "deploy/onnx_session.hpp"
#include "model/qonnx.hpp"
#include "model/torch_error.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/data/output_file.hpp"
#include "edgeloop/deploy/predictor.hpp"
#include "edgeloop/inference/model_file.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <new>
#include <optional>

#include <fmt/format.h>
#include <torch/script.h>
#include <torch/version.h>

namespace edgeloop {
namespace {

constexpr int comparison_batch = 8;  // where the file does not say another
constexpr std::size_t calibration_clips = 128;

/// One export in the making.
class Export {
  public:
    explicit Export(const ExportRequest& request) : request_(request) {
        StoredNetwork& from = request_.network;
        if (!request.data.empty()) {
            dataset_ = std::make_shared<Dataset>(request.data);
            require_same_kind(from, dataset_->catalogue(), request.data);
            if (from.targets.empty()) from.targets = dataset_->catalogue().targets;
        }
        network_ = exported_network(from, request.with_preprocessing);
        report_.targets = network_.targets;
        report_.file = request.output;
    }

    ExportReport run() {
        make_comparison_clips();
        make_file();
        if (request_.precision == FilePrecision::float32)
            compare();
        else
            judge();
        take_examples();
        write_file_atomic(request_.output, file_);
        report_.bytes = file_.size();
        report_.digest = digest(file_).hex();
        return std::move(report_);
    }

  private:
    [[nodiscard]] bool is_onnx() const { return request_.format == ModelFormat::onnx; }
    /// Clips a run of the file takes.
    [[nodiscard]] int batch() const {
        return is_onnx() && request_.batch > 0 ? request_.batch : comparison_batch;
    }
    [[nodiscard]] Crops recorded(SplitPart part, std::size_t most) const {
        return recorded_crops(dataset_, part, request_.network.window(), most);
    }

    void make_comparison_clips();
    [[nodiscard]] FileMetadata metadata() const;
    void calibrate();
    void make_file();
    /// Of float32, with the results of all layers.
    [[nodiscard]] std::string layers_file() const;
    void compare();
    void judge();
    /// What the file gives, by a runtime or the same roundings in LibTorch.
    [[nodiscard]] torch::Tensor file_outputs(const Crops& crops);
    void take_examples();

    ExportRequest request_;
    ExportedNetwork network_;
    std::shared_ptr<const Dataset> dataset_;
    Crops clips_;
    std::optional<TracedGraph> traced_;  ///< of an ONNX file
    QuantisedNodes quantised_;
    std::string file_;
    FileRunner run_;  ///< empty: no runtime here runs it
    ExportReport report_;
};

void Export::make_comparison_clips() {
    const auto wanted = static_cast<std::size_t>(request_.clips);
    Crops recorded_ones;
    recorded_ones.frames = network_.clip.frames;
    if (dataset_) recorded_ones = recorded(SplitPart::train, wanted - wanted / 4);
    report_.recorded = recorded_ones.count;
    clips_ = comparison_crops(recorded_ones, network_.clip.frames, wanted);
}

FileMetadata Export::metadata() const {
    const ArchitectureSpec& spec = request_.network.spec;
    Json targets = Json::array();
    for (const Target& target : network_.targets)
        targets.push_back({{"name", target.name}, {"unit", target.unit}, {"scale", target.scale}});
    Json provenance = request_.provenance;
    provenance["program"] = version();
    if (!request_.network.data_digest.empty())
        provenance["dataset_digest"] = request_.network.data_digest;
    const std::string& weights = request_.network.weights_file;
    return {{"spec", spec.canonical()},
            {"input", network_.crops ? "uint8 crops (batch, frames, height, width)"
                                     : "float32 clips (batch, 1, frames, height, width), "
                                       "(grey / 255 - mean) / deviation"},
            {"output", network_.crops ? "physical" : "divided by the scales"},
            {"normalisation",
             Json{{"mean", spec.clip.mean}, {"deviation", spec.clip.deviation}}.dump()},
            {"targets", targets.dump()},
            {"precision", to_string(request_.precision)},
            {"provenance", provenance.dump()},
            {"weights_digest", weights.empty() ? "" : digest(read_file(weights)).hex()}};
}

void Export::calibrate() {
    const Crops crops = recorded(SplitPart::train, calibration_clips);
    if (crops.count == 0)
        throw ConfigError(
            fmt::format("'{}' has no training clips to calibrate with", request_.data),
            "their values decide the scales of the integers");
    quantised_ = edgeloop::calibrate(*traced_->graph, [&](const auto& see) {
        for (std::size_t i = 0; i < crops.count; ++i) see(network_.input(crops, i, 1));
    });
    if (quantised_.empty())
        throw ConfigError("this design has no layer that integers would compute",
                          "convolutions of one channel and the layers of the head stay float32",
                          "export it as float32");
}

void Export::make_file() {
    if (request_.format == ModelFormat::native || request_.format == ModelFormat::qonnx) {
        file_ = native_file_of(request_.network, network_.targets);
        run_ = native_runner(file_);
        report_.runtime = native_runtime_name();
        if (request_.format == ModelFormat::qonnx) {  // of the same integers
            const inference::Graph graph = inference::decode_model(file_, "the integers");
            file_ = qonnx_of(graph, request_.network.spec.family, request_.batch, metadata());
        }
        return;
    }
    if (!is_onnx()) {
        file_ = torchscript_of(network_, request_.precision, TracedOutputs::targets, metadata());
    } else {
        traced_ = traced_graph(network_, request_.batch, TracedOutputs::targets);
        OnnxForm form;
        form.free_batch = request_.batch == 0;
        form.half = request_.precision == FilePrecision::float16;
        if (request_.precision == FilePrecision::int8) {
            calibrate();
            form.quantised = &quantised_;
        }
        file_ = onnx_of(*traced_, request_.network.spec.family, form, metadata());
    }
    if (is_onnx() && !has_onnx_runtime()) return;
    run_ = runner_of(file_, request_.format);
    report_.runtime = is_onnx() ? onnx_runtime_name() : std::string("LibTorch ") + TORCH_VERSION;
}

std::string Export::layers_file() const {
    if (!is_onnx())
        return torchscript_of(network_, FilePrecision::float32, TracedOutputs::layers, {});
    return onnx_of(traced_graph(network_, 1, TracedOutputs::layers), "layers", {}, {});
}

void Export::compare() {
    if (!run_) return;
    const torch::Tensor found = network_.normalised(run_file(run_, network_, clips_, batch()));
    const torch::Tensor expected =
        network_.normalised(run_trained(network_, clips_, comparison_batch));
    // Where a number is none, the comparison is false.
    const torch::Tensor parts = differences(found, expected);
    const bool is_float = request_.network.spec.quantisation.is_float();
    const double allowed = is_float ? 1 : rounding_allowance;
    const torch::Tensor good = (parts <= allowed).all(1);
    report_.compared = clips_.count;
    if (good.all().item<bool>()) {
        report_.largest_difference = parts.max().item<double>();
        return;
    }
    const std::string why =
        fmt::format("{} of {} clips differ by more than {} + {} |y| on {}",
                    (~good).sum().item<int64_t>(), clips_.count, allowed * float_absolute_tolerance,
                    allowed * float_relative_tolerance, report_.runtime);
    if (request_.format == ModelFormat::native || request_.format == ModelFormat::qonnx)
        throw ConfigError("the file would not give what the network gives", why,
                          "nothing was written; please report the spec");
    const auto window = static_cast<std::size_t>((~good).to(torch::kLong).argmax().item<int64_t>());
    const std::string layers = layers_file();
    throw ConfigError(
        fmt::format(
            "the file would not give what the network gives: layer '{}' differs first",
            first_different_layer(runner_of(layers, request_.format), network_, clips_, window)),
        why, "nothing was written; please report the spec");
}

torch::Tensor Export::file_outputs(const Crops& crops) {
    if (run_) return run_file(run_, network_, crops, batch());
    const FileRunner simulated = [&](const torch::Tensor& input) -> std::vector<torch::Tensor> {
        const torch::NoGradGuard no_grad;
        if (request_.precision == FilePrecision::float16)
            return {run_in_half(*traced_->graph, input)};
        return {run_quantised(*traced_->graph, quantised_, input)};
    };
    return run_file(simulated, network_, crops, 1);
}

void Export::judge() {
    report_.simulated = !run_;
    if (!dataset_) return;
    Crops crops = recorded(SplitPart::test, static_cast<std::size_t>(request_.clips));
    if (crops.count == 0 || std::isnan(crops.targets.front())) {
        report_.judged_part = SplitPart::validation;
        crops = recorded(SplitPart::validation, static_cast<std::size_t>(request_.clips));
    }
    if (crops.count == 0) return;
    const auto scored = [&](const torch::Tensor& output) {
        const torch::Tensor values = network_.normalised(output).contiguous();
        ScoredWindows windows;
        windows.targets = network_.targets;
        windows.groups = crops.lines;
        windows.predicted.assign(values.data_ptr<float>(),
                                 values.data_ptr<float>() + values.numel());
        windows.expected = crops.targets;
        return windows;
    };
    const ScoredWindows of = scored(file_outputs(crops));
    const ScoredWindows over = scored(run_trained(network_, crops, comparison_batch));
    report_.change = rmse_ratio(of, over, Bootstrap());
    report_.file_rmse = scores_of(of, Bootstrap()).rmse.value;
    report_.network_rmse = scores_of(over, Bootstrap()).rmse.value;
}

void Export::take_examples() {
    if (request_.examples.empty()) return;
    Crops some;
    some.frames = clips_.frames;
    const std::size_t size = static_cast<std::size_t>(some.frames) * crop_pixels;
    EDGELOOP_EXPECT(request_.examples.size() % size == 0, "examples of this network's length");
    some.count = request_.examples.size() / size;
    some.pixels = request_.examples;
    const bool is_float = request_.precision == FilePrecision::float32;
    const torch::Tensor input = network_.input(some, 0, some.count).contiguous();
    const torch::Tensor output =
        (is_float ? run_trained(network_, some, comparison_batch) : file_outputs(some))
            .contiguous();
    report_.examples.crops = network_.crops;
    report_.examples.input_shape = input.sizes().vec();
    report_.examples.input.assign(static_cast<const char*>(input.data_ptr()), input.nbytes());
    report_.examples.expected.assign(output.data_ptr<float>(),
                                     output.data_ptr<float>() + output.numel());
}

/// Before anything is read or computed.
void check(const ExportRequest& request) {
    EDGELOOP_EXPECT(request.clips > 0, "a file is compared on clips");
    const bool is_int8 = request.precision == FilePrecision::int8;
    if (is_int8 && request.format == ModelFormat::torchscript)
        throw ConfigError("a TorchScript file cannot be int8",
                          "its integer operators differ between builds of LibTorch",
                          "use --format onnx");
    if (is_int8 && request.data.empty())
        throw ConfigError("int8 needs --data", "training clips decide the scales of the integers");
    const bool has_own_bits =
        request.format == ModelFormat::native || request.format == ModelFormat::qonnx;
    if (has_own_bits && request.precision != FilePrecision::float32)
        throw ConfigError(fmt::format("a {} file cannot be {}", to_string(request.format),
                                      to_string(request.precision)),
                          "its bits are those that the network was trained with",
                          "leave --precision out");
    const bool is_float = request.network.spec.quantisation.is_float();
    if (!has_own_bits && !is_float)
        throw ConfigError(fmt::format("a file of the form {} is of float32, and this network has "
                                      "quantised layers",
                                      to_string(request.format)),
                          {}, "use --format native or qonnx");
    if (request.format == ModelFormat::qonnx && is_float)
        throw ConfigError("a QONNX file is of integers, and this network is of float32", {},
                          "use --format onnx");
    if (request.format == ModelFormat::qonnx && request.with_preprocessing)
        throw ConfigError("a QONNX file takes clips, not crops", {},
                          "leave out --with-preprocessing");
    check_output_file(request.output);
    check_weights_size(request.network.spec, request.network.weights_file);
}

}  // namespace

const char* to_string(ModelFormat format) {
    switch (format) {
        case ModelFormat::onnx:
            return "onnx";
        case ModelFormat::torchscript:
            return "torchscript";
        case ModelFormat::qonnx:
            return "qonnx";
        case ModelFormat::native:
            break;
    }
    return "native";
}

const char* to_string(FilePrecision precision) {
    switch (precision) {
        case FilePrecision::float32:
            return "float32";
        case FilePrecision::float16:
            return "float16";
        case FilePrecision::int8:
            break;
    }
    return "int8";
}

ExportReport export_model(const ExportRequest& request) {
    check(request);
    try {
        return translate_torch_errors("exporting", [&] {
            return with_bad_alloc([&] {
                const torch::NoGradGuard no_grad;
                return Export(request).run();
            });
        });
    } catch (const std::bad_alloc&) {
        throw IoError(
            fmt::format("not enough memory to export '{}'", request.network.name), {},
            request.batch > 1 ? "use a smaller --batch" : "use a machine with more memory");
    }
}

std::string to_text(const ExportReport& report, const ExportRequest& request) {
    std::string text = fmt::format(
        "{}: {} {}, batch {}, {} to {}, {:.2f} MiB{}\n", report.file, to_string(request.format),
        to_string(request.precision),
        request.batch == 0 ||
                (request.format != ModelFormat::onnx && request.format != ModelFormat::qonnx)
            ? "free"
            : std::to_string(request.batch),
        request.with_preprocessing ? "uint8 crops" : "normalised clips",
        request.with_preprocessing ? to_text(report.targets) : "targets divided by their scales",
        static_cast<double>(report.bytes) / bytes_per_mib,
        request.network.weights_file.empty() ? ", random weights" : "");
    if (request.precision == FilePrecision::float32) {
        if (report.runtime.empty())
            return text + "not compared with the network: this build has no ONNX Runtime\n";
        return text + fmt::format(
                          "compared with the network on {} clips, {} of them recorded, by {}: the "
                          "largest difference is {:.1f} % of what is allowed\n",
                          report.compared, report.recorded, report.runtime,
                          100 * report.largest_difference);
    }
    if (report.change.windows == 0)
        return text + "not judged: there are no labelled clips; give --data\n";
    const Estimate& ratio = report.change.all;
    text += fmt::format(
        "RMSE on {} {} clips: {:.5f}, the network's {:.5f}: {:+.2f} % (95 % interval {:+.2f} to "
        "{:+.2f} %), {}\n",
        report.change.windows, name_of(report.judged_part), report.file_rmse, report.network_rmse,
        100 * (ratio.value - 1), 100 * (ratio.low - 1), 100 * (ratio.high - 1),
        report.simulated ? "computed with the file's roundings in LibTorch: this build has no ONNX "
                           "Runtime"
                         : "by " + report.runtime);
    return text;
}

}  // namespace edgeloop
