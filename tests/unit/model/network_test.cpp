#include "model/network.hpp"

#include "model/traced_network.hpp"
#include "model/weights_file.hpp"
#include "support/temporary_folder.hpp"
#include "unit/model/specs.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/model/onnx.hpp"
#include "edgeloop/model/threads.hpp"

#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

namespace edgeloop::network_test {
namespace {

torch::Tensor clips_for(const ArchitectureSpec& spec, std::int64_t batch) {
    torch::manual_seed(1);
    return torch::randn({batch, 1, spec.clip.frames, spec.clip.side, spec.clip.side});
}

std::int64_t parameters_of(const Network& network) {
    std::int64_t total = 0;
    for (const torch::Tensor& parameter : network.parameters()) total += parameter.numel();
    return total;
}

class Networks : public testing::TestWithParam<ArchitectureSpec> {};

TEST_P(Networks, HaveAsManyParametersAsCounted) {
    EXPECT_EQ(parameters_of(*make_network(GetParam(), 1)), count(GetParam()).parameters);
}

TEST_P(Networks, RunForwardAndBackwardWithFiniteNumbers) {
    const auto network = make_network(GetParam(), 1);
    const torch::Tensor output = network->forward(clips_for(GetParam(), 2));
    ASSERT_EQ(output.sizes(), (torch::IntArrayRef{2, 2}));
    output.square().mean().backward();
    EXPECT_FALSE(network->named_parameters().is_empty());
    for (const auto& parameter : network->named_parameters()) {
        ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
        EXPECT_TRUE(torch::isfinite(parameter.value().grad()).all().item<bool>())
            << parameter.key();
    }
}

TEST_P(Networks, TakeAnyNumberOfOutputs) {
    const test::TemporaryFolder folder;
    for (const int outputs : {1, 5}) {
        const auto network = make_network(GetParam(), 1, outputs);
        const torch::Tensor clips = clips_for(GetParam(), 2);
        const torch::Tensor output = network->forward(clips);
        ASSERT_EQ(output.sizes(), (torch::IntArrayRef{2, outputs}));
        output.square().mean().backward();
        EXPECT_TRUE(network->parameters().back().grad().defined());
        network->eval();
        write_file_atomic(folder.path("weights"), encode_weights(weights_of(*network)));
        const auto read = trained_network(GetParam(), folder.path("weights"));
        EXPECT_TRUE(torch::allclose(read->forward(clips), network->forward(clips)));
        const torch::NoGradGuard no_grad;
        read->output_bias() += 1;
        EXPECT_TRUE(torch::allclose(read->forward(clips), network->forward(clips) + 1));
    }
}

TEST_P(Networks, StartFromTheSeedAlone) {
    torch::manual_seed(7);
    const auto first = make_network(GetParam(), 3);
    torch::manual_seed(8);
    const auto second = make_network(GetParam(), 3);
    const auto other = make_network(GetParam(), 4);
    bool differs = false;
    for (const auto& parameter : first->named_parameters()) {
        const auto& name = parameter.key();
        EXPECT_TRUE(torch::equal(parameter.value(), second->named_parameters()[name])) << name;
        differs |= !torch::equal(parameter.value(), other->named_parameters()[name]);
    }
    EXPECT_TRUE(differs);
}

TEST_P(Networks, LeaveTheGlobalGeneratorAlone) {
    torch::manual_seed(7);
    const torch::Tensor expected = torch::rand({4});
    torch::manual_seed(7);
    static_cast<void>(make_network(GetParam(), 3));
    EXPECT_TRUE(torch::equal(torch::rand({4}), expected));
}

TEST_P(Networks, TreatClipsOfABatchIndependentlyInEvaluation) {
    const auto network = make_network(GetParam(), 1);
    network->eval();
    const torch::NoGradGuard no_grad;
    const torch::Tensor clips = clips_for(GetParam(), 3);
    const torch::Tensor alone = network->forward(clips.slice(0, 1, 2));
    EXPECT_TRUE(torch::allclose(network->forward(clips).slice(0, 1, 2), alone, 1e-5, 1e-6));
}

TEST_P(Networks, TracedGiveTheSameOnOtherClipsAndAnotherNumberOfThem) {
    const auto network = make_network(GetParam(), 1);
    network->eval();
    const torch::NoGradGuard no_grad;
    const torch::Tensor clips = clips_for(GetParam(), 2);
    const torch::Tensor expected = network->forward(clips);
    for (const Kernels kernels : {Kernels::plain, Kernels::exported}) {
        network->set_kernels(kernels);
        torch::jit::Module traced =
            traced_network(network, torch::zeros_like(clips.slice(0, 0, 1)));
        const torch::Tensor output = traced.forward({clips}).toTensor();
        EXPECT_TRUE(torch::allclose(output, expected, 1e-4, 1e-5)) << to_string(kernels);
    }
}

TEST_P(Networks, GiveTheSameWithOneAndTwoThreads) {
    const auto network = make_network(GetParam(), 1);
    network->eval();
    const torch::Tensor clips = clips_for(GetParam(), 2);
    const auto run = [&](int threads) {
        set_compute_threads(threads);
        network->zero_grad();
        const torch::Tensor output = network->forward(clips);
        const torch::Tensor loss = torch::mse_loss(output, torch::ones({2, 2}));
        loss.backward();
        set_compute_threads(1);
        std::vector<torch::Tensor> results{output.detach(), loss.detach()};
        for (const torch::Tensor& parameter : network->parameters())
            results.push_back(parameter.grad().clone());
        return results;
    };
    const auto one = run(1), two = run(2);
    for (std::size_t i = 0; i < one.size(); ++i)
        EXPECT_LE((one[i] - two[i]).norm().item<double>(),
                  1e-5 * one[i].norm().clamp_min(1e-3).item<double>())
            << i;
}

INSTANTIATE_TEST_SUITE_P(
    Families, Networks,
    testing::Values(
        test::small_swin3d(), test::small_swin3d(5, 27), test::small_swin3d(1, 6),
        test::small_cnn3d(), test::small_mbconv3d(), test::small_mbconv3d(1, 8),
        test::spec_of("cnn3d", R"({"stages": [{"channels": 6}], "norm": "none", "dropout": 0.5})",
                      3, 9)));

TEST(Network, AnExportHasTheWeightsOfTheFile) {
    const ArchitectureSpec spec = test::small_cnn3d();
    const test::TemporaryFolder folder;
    const auto exported = [&](std::uint64_t seed) {
        const std::string file = folder.path("w.safetensors");
        write_file_atomic(file, encode_weights(weights_of(*make_network(spec, seed))));
        return export_onnx(spec, file, 1);
    };
    EXPECT_EQ(exported(1), export_onnx(spec, {}, 1));
    EXPECT_NE(exported(2), exported(1));
    const std::string other = folder.path("other.safetensors");
    write_file_atomic(other, encode_weights(weights_of(*make_network(test::small_mbconv3d(), 1))));
    EXPECT_THROW(static_cast<void>(export_onnx(spec, other, 1)), ConfigError);
}

TEST(Network, SwinParametersHaveThePublishedNames) {
    const auto network = make_network(test::small_swin3d(), 1);
    const auto parameters = network->named_parameters();
    for (const char* name :
         {"patch_embed.proj.weight", "patch_embed.proj.bias", "layers.0.blocks.1.norm1.weight",
          "layers.0.blocks.1.attn.qkv.weight", "layers.0.blocks.1.attn.proj.bias",
          "layers.1.blocks.0.attn.relative_position_bias_table", "layers.1.blocks.0.norm2.bias",
          "layers.1.blocks.0.mlp.fc1.weight", "layers.1.blocks.0.mlp.fc2.bias",
          "layers.0.downsample.norm.weight", "layers.0.downsample.reduction.weight", "norm.weight",
          "head.fc_cls.weight", "linear_layers.0.weight", "linear_layers.2.bias"})
        EXPECT_TRUE(parameters.contains(name)) << name;
    EXPECT_EQ(parameters["layers.0.blocks.0.attn.relative_position_bias_table"].sizes(),
              (torch::IntArrayRef{3 * 7 * 7, 3}));
}

TEST(Network, InitialWeightsHaveThePublishedSpread) {
    const auto network = make_network(test::human_baseline(), 1);
    const auto parameters = network->named_parameters();
    EXPECT_NEAR(parameters["layers.3.blocks.0.mlp.fc1.weight"].std().item<double>(), 0.02, 1e-4);
    EXPECT_NEAR(parameters["head.fc_cls.weight"].std().item<double>(), 0.01, 1e-4);
    EXPECT_TRUE((parameters["norm.weight"] == 1).all().item<bool>());
    EXPECT_TRUE((parameters["layers.0.blocks.0.attn.qkv.bias"] == 0).all().item<bool>());
}

TEST(Network, RefusesWhatItCannotBuild) {
    EXPECT_THROW((void)make_network(test::spec_of("rnn", "{}", 16, 64), 1), ConfigError);
    EXPECT_THROW(
        (void)make_network(test::spec_of("swin3d", R"({"depths": [1], "heads": [5]})", 16, 64), 1),
        ConfigError);
    EXPECT_THROW((void)make_network(test::spec_of("cnn3d", R"({"stages": []})", 16, 64), 1),
                 ConfigError);
    EXPECT_THROW(
        (void)make_network(
            test::spec_of("swin3d", R"({"depths": [1000000000], "heads": [3]})", 16, 64), 1),
        ConfigError);
}

TEST(TracedNetwork, IsNotProfiledWhileItRuns) {
    const auto network = make_network(test::small_cnn3d(), 1);
    network->eval();
    network->set_kernels(Kernels::exported);
    const torch::Tensor clips = clips_for(test::small_cnn3d(), 1);
    run_scripts_unprofiled();
    torch::jit::Module traced = traced_network(network, clips);
    const torch::InferenceMode inference;
    torch::Tensor result;
    for (int run = 0; run < 3; ++run) result = traced.forward({clips}).toTensor();
    EXPECT_TRUE(torch::allclose(result, network->forward(clips), 1e-4, 1e-5));
    const std::string graph = torch::jit::lastExecutedOptimizedGraph()->toString();
    EXPECT_NE(graph.find("aten::group_norm"), std::string::npos) << graph;
    EXPECT_EQ(graph.find("prim::profile"), std::string::npos) << graph;
}

TEST(LoadWeights, CopiesByNameAndRefusesMisfits) {
    const auto source = make_network(test::small_cnn3d(), 1);
    const auto target = make_network(test::small_cnn3d(), 2);
    std::map<std::string, torch::Tensor> weights;
    for (const auto& parameter : source->named_parameters())
        weights[parameter.key()] = parameter.value().detach();

    auto lacking = weights;
    lacking.erase("output.bias");
    EXPECT_THROW(load_weights(*target, lacking, "test"), ConfigError);
    auto misshapen = weights;
    misshapen["output.bias"] = torch::zeros({3});
    EXPECT_THROW(load_weights(*target, misshapen, "test"), ConfigError);
    auto foreign = weights;
    foreign["other"] = torch::zeros({1});
    EXPECT_THROW(load_weights(*target, foreign, "test"), ConfigError);
    EXPECT_FALSE(
        torch::equal(target->named_parameters()["output.weight"], weights["output.weight"]));

    weights["layers.0.blocks.0.attn.relative_position_index"] = torch::zeros({4, 4});
    load_weights(*target, weights, "test");
    for (const auto& parameter : target->named_parameters())
        EXPECT_TRUE(torch::equal(parameter.value(), weights[parameter.key()])) << parameter.key();
}

}  // namespace
}  // namespace edgeloop::network_test
