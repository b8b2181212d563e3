#include "edgeloop/model/reference_check.hpp"

#include "model/network.hpp"
#include "unit/model/specs.hpp"

#include "edgeloop/core/error.hpp"

#include <gtest/gtest.h>

namespace edgeloop::reference_check_test {
namespace {

FloatArray array_of(const torch::Tensor& tensor) {
    const torch::Tensor flat = tensor.detach().contiguous();
    FloatArray array;
    array.shape = flat.sizes().vec();
    array.values.assign(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
    return array;
}

/// What the plain kernels compute, as a reference.
Reference reference_from(const ArchitectureSpec& spec, int batch = 2, int more_columns = 3) {
    const auto network = make_network(spec, 5);
    network->eval();
    network->set_kernels(Kernels::plain);
    torch::manual_seed(3);
    const torch::Tensor input =
        torch::randn({batch, 1, spec.clip.frames, spec.clip.side, spec.clip.side + more_columns});
    const torch::Tensor target = torch::rand({batch, 2});
    const torch::Tensor output = network->forward(input);
    const torch::Tensor loss = torch::mse_loss(output, target);
    loss.backward();
    Reference reference;
    reference.architecture = spec.architecture;
    reference.architecture["family"] = spec.family;
    reference.input = array_of(input);
    reference.output = array_of(output);
    reference.target = array_of(target);
    reference.loss = array_of(loss);
    for (const auto& parameter : network->named_parameters()) {
        reference.parameters[parameter.key()] = array_of(parameter.value());
        reference.gradients[parameter.key()] = array_of(parameter.value().grad());
    }
    return reference;
}

bool all_passed(const std::vector<Comparison>& comparisons) {
    return std::all_of(comparisons.begin(), comparisons.end(),
                       [](const Comparison& c) { return c.passed(); });
}

TEST(ReferenceCheck, PassesOnItsOwnResultsWithBothKernels) {
    const Reference reference = reference_from(test::small_swin3d(5, 21));
    for (const Kernels kernels : {Kernels::plain, Kernels::fused}) {
        const auto comparisons = check_reference(reference, kernels);
        EXPECT_EQ(comparisons.size(), 2 + reference.gradients.size());
        EXPECT_TRUE(all_passed(comparisons)) << to_string(kernels);
    }
}

TEST(ReferenceCheck, PassesOnOtherArchitecturesAndShapes) {
    const auto swin3d = [](const std::string& keys, int frames, int side) {
        return test::spec_of("swin3d", "{\"head_hidden\": [9, 7], " + keys + "}", frames, side);
    };
    const std::vector<ArchitectureSpec> specs{
        // one stage, one head, everything odd
        swin3d(R"("patch": [1, 3, 5], "embed_dim": 7, "depths": [3], "heads": [1],
                  "window": [3, 2, 5], "mlp_ratio": 1.3)",
               5, 23),
        // the published window on a clip smaller than it
        swin3d(R"("patch": [2, 4, 4], "embed_dim": 24, "depths": [2, 2, 2, 2],
                  "heads": [3, 6, 12, 24], "mlp_ratio": 2)",
               6, 19),
        // more heads than channels of a head, windows of one frame
        swin3d(R"("patch": [4, 2, 2], "embed_dim": 12, "depths": [1, 2], "heads": [6, 12],
                  "window": [1, 7, 3], "mlp_ratio": 0.5)",
               9, 17),
        test::small_cnn3d(5, 14), test::small_mbconv3d(4, 13)};
    for (const ArchitectureSpec& spec : specs) {
        Reference reference = reference_from(spec, 3, spec.family == "swin3d" ? 4 : 0);
        EXPECT_TRUE(all_passed(check_reference(reference, Kernels::fused))) << spec.canonical();
        reference.gradients.clear();
        EXPECT_EQ(check_reference(reference, Kernels::fused).size(), 2u);
        reference.loss.reset();
        reference.target.reset();
        EXPECT_EQ(check_reference(reference, Kernels::fused).size(), 1u);
    }
}

TEST(ReferenceCheck, SeesEveryKindOfDifference) {
    const Reference good = reference_from(test::small_swin3d());
    const auto failures = [](const Reference& reference) {
        std::vector<std::string> names;
        for (const Comparison& c : check_reference(reference, Kernels::fused))
            if (!c.passed()) names.push_back(c.name);
        return names;
    };
    Reference changed = good;
    changed.output.values[0] += 1e-2f;
    EXPECT_EQ(failures(changed), std::vector<std::string>{"output"});
    changed = good;
    changed.loss->values[0] *= 1.001f;
    EXPECT_EQ(failures(changed), std::vector<std::string>{"loss"});
    changed = good;
    for (float& value : changed.gradients["norm.weight"].values) value *= 1.01f;
    EXPECT_EQ(failures(changed), std::vector<std::string>{"norm.weight"});
    changed = good;
    changed.parameters["norm.weight"].values[0] = std::nanf("");
    EXPECT_FALSE(failures(changed).empty());
}

TEST(ReferenceCheck, RefusesContradictions) {
    Reference broken = reference_from(test::small_swin3d());
    broken.parameters.erase("norm.bias");
    EXPECT_THROW(static_cast<void>(check_reference(broken, Kernels::plain)), ConfigError);
    broken = reference_from(test::small_swin3d());
    broken.input.shape = {1, 2, 3};
    EXPECT_THROW(static_cast<void>(check_reference(broken, Kernels::plain)), ConfigError);
    broken = reference_from(test::small_swin3d());
    broken.gradients["unknown"] = broken.gradients["norm.bias"];
    EXPECT_THROW(static_cast<void>(check_reference(broken, Kernels::plain)), ConfigError);
    broken = reference_from(test::small_swin3d());
    broken.target.reset();
    EXPECT_THROW(static_cast<void>(check_reference(broken, Kernels::plain)), ConfigError);
    broken = reference_from(test::small_swin3d());
    broken.target->shape = {1, 4};
    EXPECT_THROW(static_cast<void>(check_reference(broken, Kernels::plain)), ConfigError);
    broken = reference_from(test::small_swin3d());
    broken.input.shape[1] = 2;
    EXPECT_THROW(static_cast<void>(check_reference(broken, Kernels::plain)), ConfigError);
}

TEST(SpecOfReference, TranslatesThePublishedNames) {
    const Json published = parse_json(
        R"({"family": "swin3d", "in_channels": 1, "patch_size": [4, 2, 2], "embed_dim": 24,
            "depths": [2, 1], "num_heads": [3, 6], "window_size": 7, "mlp_ratio": 1.0,
            "head_hidden": 40, "fc_hidden": 20, "outputs": 2})",
        "test");
    const ArchitectureSpec spec = spec_of_reference(published, {1, 1, 16, 57, 61});
    EXPECT_EQ(spec.family, "swin3d");
    EXPECT_EQ(spec.clip.frames, 16);
    EXPECT_EQ(spec.clip.side, 61);
    EXPECT_EQ(spec.architecture,
              parse_json(R"({"patch": [4, 2, 2], "embed_dim": 24, "depths": [2, 1],
                             "heads": [3, 6], "window": [7, 7, 7], "mlp_ratio": 1.0,
                             "head_hidden": [40, 20]})",
                         "test"));
    Json misspelt = published;
    misspelt["window_sizes"] = 7;
    EXPECT_THROW(
        static_cast<void>(make_network(spec_of_reference(misspelt, {1, 1, 16, 57, 61}), 1)),
        ConfigError);
    Json three_channels = published;
    three_channels["in_channels"] = 3;
    EXPECT_THROW(static_cast<void>(spec_of_reference(three_channels, {1, 1, 16, 57, 61})),
                 ConfigError);
}

}  // namespace
}  // namespace edgeloop::reference_check_test
