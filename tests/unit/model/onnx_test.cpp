// Exported networks give what LibTorch gives, on ONNX Runtime.
#include "edgeloop/model/onnx.hpp"

#include "model/network.hpp"
#include "random_designs.hpp"
#include "specs.hpp"

#include "edgeloop/core/error.hpp"

#include <array>

#include <gtest/gtest.h>
#include <onnxruntime_cxx_api.h>
#include <torch/torch.h>

namespace edgeloop::onnx_test {
namespace {

constexpr std::uint64_t weight_seed = 1;  // of export_onnx() without weights
constexpr int batch = 2;

torch::Tensor run_exported(const std::string& model, const torch::Tensor& clips) {
    Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "test");
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    Ort::Session session(environment, model.data(), model.size(), options);
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const auto shape = clips.sizes().vec();
    auto input = Ort::Value::CreateTensor<float>(memory, clips.data_ptr<float>(),
                                                 static_cast<std::size_t>(clips.numel()),
                                                 shape.data(), shape.size());
    const char* const in = "clips";
    const char* const out = "targets";
    auto outputs = session.Run(Ort::RunOptions{nullptr}, &in, &input, 1, &out, 1);
    return torch::from_blob(outputs[0].GetTensorMutableData<float>(), {batch, 2}).clone();
}

void expect_same(const ArchitectureSpec& spec) {
    SCOPED_TRACE(spec.canonical());
    const torch::NoGradGuard no_grad;
    const auto network = make_network(spec, weight_seed);
    network->eval();
    torch::manual_seed(1);
    const auto clips = torch::randn({batch, 1, spec.clip.frames, spec.clip.side, spec.clip.side});
    const torch::Tensor expected = network->forward(clips);
    const std::string model = export_onnx(spec, {}, batch);
    const torch::Tensor exported = run_exported(model, clips);
    const double error = ((exported - expected).norm() / expected.norm()).item<double>();
    EXPECT_LT(error, 1e-4);
    // The clips matter: another input gives another output.
    EXPECT_GT((run_exported(model, clips + 1) - exported).norm().item<double>(), 0);
}

TEST(Onnx, IsOfFloatNetworks) {
    const SearchSpace space = SearchSpace::from_file("cnn3d-lowbit");
    RandomStream random(1, "onnx");
    EXPECT_THROW((void)export_onnx(test::random_design(space, random, {1, 0.05}), {}, batch),
                 ConfigError);
}

class OnnxOfRandomDesigns : public ::testing::TestWithParam<std::string> {};

TEST_P(OnnxOfRandomDesigns, GivesWhatLibTorchGives) {
    const auto space = SearchSpace::from_file(GetParam());
    RandomStream random(1, "onnx");
    const test::DesignBudget budget = test::design_budget();
    for (int i = 0; i < budget.designs; ++i)
        expect_same(test::random_design(space, random, budget));
}

/// Quantised networks have no file of float32.
std::vector<std::string> float_spaces() {
    std::vector<std::string> names;
    for (const std::string& name : test::shipped_space_names())
        if (!SearchSpace::from_file(name).has_low_bits()) names.push_back(name);
    return names;
}

INSTANTIATE_TEST_SUITE_P(Spaces, OnnxOfRandomDesigns, ::testing::ValuesIn(float_spaces()));

TEST(Onnx, OfEachFamilyGivesWhatLibTorchGives) {
    for (const ArchitectureSpec& spec : test::small_designs()) expect_same(spec);
}

}  // namespace
}  // namespace edgeloop::onnx_test
