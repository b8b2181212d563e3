// A file gives what the network gives, or there is no file.
#include "edgeloop/deploy/export.hpp"

#include "deploy/exported_network.hpp"
#include "deploy/file_comparison.hpp"
#include "deploy/onnx_session.hpp"
#include "model/quantisation.hpp"
#include "model/weights_file.hpp"
#include "support/small_dataset.hpp"
#include "support/temporary_folder.hpp"
#include "unit/model/lively_network.hpp"
#include "unit/model/specs.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <torch/script.h>

namespace edgeloop::export_test {
namespace {

using ::testing::HasSubstr;

/// A network on disk.
StoredNetwork stored(const ArchitectureSpec& spec, const test::TemporaryFolder& folder) {
    StoredNetwork made;
    made.name = spec.family;
    made.spec = spec;
    made.weights_file = folder.path(spec.family + ".safetensors");
    write_file_atomic(made.weights_file, encode_weights(weights_of(*test::lively_network(spec, 1))),
                      Durability::process_crash);
    return made;
}

ExportRequest request_for(const ArchitectureSpec& spec, const test::TemporaryFolder& folder) {
    ExportRequest request;
    request.network = stored(spec, folder);
    request.format = ModelFormat::torchscript;
    request.clips = 50;
    request.output = folder.path("model");
    return request;
}

/// What the request is refused with; nothing may have been written.
std::string refusal(const ExportRequest& request, ExitCode code = ExitCode::bad_input) {
    std::string text;
    try {
        static_cast<void>(export_model(request));
    } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), code) << error.what();
        text = error.what();
    }
    EXPECT_FALSE(text.empty()) << "it was not refused";
    EXPECT_FALSE(std::filesystem::exists(request.output));
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
}

class ExportOfFamily : public testing::TestWithParam<ArchitectureSpec> {
  protected:
    test::TemporaryFolder folder_;
};

TEST_P(ExportOfFamily, IsComparedAndGivesPhysicalValuesForCrops) {
    ExportRequest request = request_for(GetParam(), folder_);
    request.with_preprocessing = true;
    const std::size_t crop = std::size_t(request.network.spec.clip.frames) * crop_pixels;
    for (std::size_t i = 0; i < 9 * crop; ++i)  // each brighter than the one before
        request.examples.push_back(static_cast<std::uint8_t>((i * i % 251) * (i / crop + 1) / 9));
    const ExportReport report = export_model(request);
    EXPECT_GE(report.compared, 50U);
    EXPECT_LE(report.largest_difference, 1);
    EXPECT_GT(report.largest_difference, 0) << "a network compared with itself?";
    EXPECT_THAT(report.runtime, HasSubstr("LibTorch"));
    EXPECT_EQ(report.bytes, std::filesystem::file_size(request.output));

    torch::jit::ExtraFilesMap extra{{"spec", ""}, {"targets", ""}, {"weights_digest", ""}};
    torch::jit::Module module = torch::jit::load(request.output, c10::nullopt, extra);
    EXPECT_EQ(extra["spec"], GetParam().canonical());
    EXPECT_THAT(extra["targets"], HasSubstr("mm/s"));
    EXPECT_EQ(extra["weights_digest"].size(), 32U);

    // The examples, by whoever loads the file.
    std::string bytes = report.examples.input;
    const torch::Tensor crops =
        torch::from_blob(bytes.data(), report.examples.input_shape, torch::kByte);
    const torch::Tensor found = module.forward({crops}).toTensor();
    ASSERT_EQ(found.sizes(), (std::vector<std::int64_t>{9, 2}));
    const torch::Tensor expected = torch::tensor(report.examples.expected).reshape({9, 2});
    EXPECT_LT(((found - expected).norm() / expected.norm()).item<double>(), 1e-4);
    EXPECT_GT(expected.select(1, 0).std().item<double>(), 1e-3) << "every clip gives the same";
}

TEST_P(ExportOfFamily, NamesTheFirstLayerThatDiffers) {
    const torch::NoGradGuard no_grad;
    ExportedNetwork network = exported_network(stored(GetParam(), folder_), false);
    const Crops crops = comparison_crops({}, network.clip.frames, 12);
    const auto layers = [&] {
        return runner_of(torchscript_of(network, FilePrecision::float32, TracedOutputs::layers, {}),
                         ModelFormat::torchscript);
    };
    const torch::Tensor same =
        differences(run_file(layers(), network, crops, 4), run_trained(network, crops, 4));
    EXPECT_TRUE((same <= 1).all().item<bool>());
    EXPECT_EQ(first_different_layer(layers(), network, crops, 9), "output");

    const auto parameters = network.exported->named_parameters();
    const std::size_t middle = parameters.size() / 2;
    const std::string name = parameters[middle].key();
    auto& changed = parameters[middle].value();
    changed.add_(torch::randn(changed.sizes()) * 0.1);
    const torch::Tensor other =
        differences(run_file(layers(), network, crops, 4), run_trained(network, crops, 4));
    EXPECT_FALSE((other <= 1).all(1).all().item<bool>());
    const std::string layer = first_different_layer(layers(), network, crops, 9);
    EXPECT_EQ(name.rfind(layer + ".", 0), 0U) << layer << " for " << name;
}

TEST_P(ExportOfFamily, TranslatedToOnnxTakesAnyBatch) {
    const torch::NoGradGuard no_grad;
    const ExportedNetwork network = exported_network(stored(GetParam(), folder_), false);
    const TracedGraph traced = traced_graph(network, 0, TracedOutputs::targets);
    const Crops crops = comparison_crops({}, network.clip.frames, 5);
    const torch::Tensor input = network.input(crops, 0, 5);
    // The graph that is translated, traced with one clip, runs with five.
    const torch::Tensor found = walk_graph(*traced.graph, input, {}).toTensor();
    EXPECT_TRUE((differences(found, network.expected(crops, 0, 5)) <= 1).all().item<bool>());
    if (!has_onnx_runtime()) return;
    OnnxForm form;
    form.free_batch = true;
    const FileRunner run = runner_of(onnx_of(traced, "free", form, {}), ModelFormat::onnx);
    EXPECT_TRUE(
        (differences(run(input).front(), network.expected(crops, 0, 5)) <= 1).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Families, ExportOfFamily, testing::ValuesIn(test::small_designs()),
                         [](const auto& made) { return made.param.family; });

TEST(Export, RefusesWhatCannotBeWritten) {
    const test::TemporaryFolder folder;
    ExportRequest request = request_for(test::small_cnn3d(), folder);
    request.precision = FilePrecision::int8;
    EXPECT_THAT(refusal(request), HasSubstr("a TorchScript file cannot be int8"));
    request.format = ModelFormat::onnx;
    EXPECT_THAT(refusal(request), HasSubstr("int8 needs --data"));
    request.precision = FilePrecision::float32;
    request.data = folder.path("none");
    EXPECT_THAT(refusal(request), HasSubstr("none"));
    request.data.clear();
    request.network.targets = {{"speed", "mm/s", 900}};
    EXPECT_THAT(refusal(request), HasSubstr("predicts 2 targets"));
}

TEST(Export, RefusesWeightsThatAreDamagedOrOfAnotherNetwork) {
    const test::TemporaryFolder folder;
    ExportRequest request = request_for(test::small_cnn3d(), folder);
    const std::string good = read_file(request.network.weights_file);
    write_file_atomic(request.network.weights_file, good.substr(0, good.size() - 9));
    EXPECT_THAT(refusal(request), HasSubstr(request.network.weights_file));
    write_file_atomic(request.network.weights_file, "no weights");
    EXPECT_THAT(refusal(request), HasSubstr(request.network.weights_file));
    request.network.weights_file = stored(test::small_mbconv3d(), folder).weights_file;
    EXPECT_THAT(refusal(request), HasSubstr("parameter"));
    request.network.weights_file = folder.path("huge");
    write_file_atomic(request.network.weights_file, "x");
    std::filesystem::resize_file(request.network.weights_file, std::uintmax_t{4} << 30U);
    EXPECT_THAT(refusal(request), HasSubstr("has 4294967296 bytes"));
}

TEST(Export, OnAFullDiskLeavesNothing) {
    const test::TemporaryFolder folder;
    const ExportRequest request = request_for(test::small_cnn3d(), folder);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit little = before;
    little.rlim_cur = 1000;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
    const std::string text = refusal(request, ExitCode::environment);
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_THAT(text, HasSubstr("model"));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.root()), {}), 1);
}

TEST(Export, JudgesRoundedFilesByTheirErrorOnUnseenLines) {
    const test::TemporaryFolder folder;
    ExportRequest request = request_for(test::small_cnn3d(4, 20), folder);
    request.data = test::make_small_dataset(folder.root(), 20);
    request.format = ModelFormat::onnx;
    request.network.rules.margin = 0;
    request.network.rules.short_lines = ShortLines::pad;
    for (const FilePrecision precision : {FilePrecision::float16, FilePrecision::int8}) {
        request.precision = precision;
        const ExportReport report = export_model(request);
        EXPECT_GT(report.change.windows, 10U);
        EXPECT_EQ(report.simulated, !has_onnx_runtime());
        const Estimate& ratio = report.change.all;
        EXPECT_NE(report.file_rmse, report.network_rmse) << "nothing was rounded";
        EXPECT_NEAR(ratio.value, report.file_rmse / report.network_rmse, 1e-9);
        EXPECT_NEAR(ratio.value, 1, precision == FilePrecision::int8 ? 0.05 : 0.005);
        EXPECT_LE(ratio.low, ratio.value);
        EXPECT_GE(ratio.high, ratio.value);
        EXPECT_THAT(to_text(report, request), HasSubstr("95 % interval"));
    }
    request.precision = FilePrecision::float32;
    EXPECT_GT(export_model(request).recorded, 10U);
}

TEST(Quantisation, RoundsEachOutputChannelByItself) {
    const torch::Tensor weight = torch::tensor({{1.0F, -0.4F}, {100.0F, 25.0F}, {0.0F, 0.0F}});
    const QuantisedWeight made = quantised(weight);
    EXPECT_TRUE(
        torch::equal(made.integers, torch::tensor({{64, -26}, {64, 16}, {0, 0}}, torch::kChar)));
    EXPECT_FLOAT_EQ(made.scales[1].item<float>(), 100.0F / 64);
}

TEST(Quantisation, RangesHoldZeroAndUseAllIntegers) {
    ValueRange range;
    range.include(torch::tensor({0.5F, 2.55F}));
    EXPECT_EQ(range.scale().zero, 0);
    EXPECT_FLOAT_EQ(range.scale().scale, 0.01F);
    range.include(torch::tensor({-2.55F}));
    EXPECT_FLOAT_EQ(range.scale().scale, 0.02F);
    EXPECT_NEAR(range.scale().zero, 128, 1);
}

}  // namespace
}  // namespace edgeloop::export_test
