#include "edgeloop/model/native.hpp"

#include "model/network.hpp"
#include "model/weights_file.hpp"
#include "specs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/session.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop {
namespace {

/// A network in which no two parameters are alike, and its file.
struct Trained {
    explicit Trained(const ArchitectureSpec& spec) : network(make_network(spec, 3)) {
        torch::manual_seed(5);
        const torch::NoGradGuard no_grad;
        for (torch::Tensor& parameter : network->parameters())
            parameter.add_(torch::randn_like(parameter), 0.1);
        network->eval();
        file = folder.path("weights.safetensors");
        write_file_atomic(file, encode_weights(weights_of(*network)));
    }
    std::shared_ptr<Network> network;
    test::TemporaryFolder folder;
    std::string file;
};

void expect_equal(const ArchitectureSpec& spec) {
    const Trained trained(spec);
    inference::Session session(native_graph(spec, trained.file));
    const torch::NoGradGuard no_grad;
    for (const double factor : {1.0, 0.01, 10.0}) {
        const torch::Tensor clip =
            factor * torch::randn({1, 1, spec.clip.frames, spec.clip.side, spec.clip.side});
        const torch::Tensor expected = trained.network->forward(clip);
        torch::Tensor result = torch::empty_like(expected);
        session.run(clip.data_ptr<float>(), result.data_ptr<float>());
        const double difference = (result - expected).abs().max().item<double>();
        EXPECT_LE(difference, 1e-4 * expected.abs().max().item<double>()) << spec.canonical();
    }
}

TEST(Native, Cnn3dGivesWhatLibTorchGives) {
    expect_equal(test::small_cnn3d());
    for (const char* norm : {"group", "none"})
        for (const char* reduce : {"mean", "flatten"}) {
            ArchitectureSpec spec = test::small_cnn3d(5, 41);
            spec.architecture["norm"] = norm;
            spec.architecture["reduce"] = reduce;
            spec.architecture["stages"][0]["channels"] = 13;
            expect_equal(spec);
        }
}

TEST(Native, Mbconv3dGivesWhatLibTorchGives) {
    expect_equal(test::small_mbconv3d());
    ArchitectureSpec spec = test::small_mbconv3d(3, 9);
    spec.architecture["stages"][0]["repeats"] = 2;
    spec.architecture["stages"][0]["kernel"] = {2, 3, 4};
    spec.architecture["stages"][0]["squeeze"] = 0.5;
    expect_equal(spec);
}

TEST(Native, OtherWeightsAndFamiliesAreRefused) {
    const Trained other(test::small_mbconv3d());
    EXPECT_THROW((void)native_graph(test::small_cnn3d(), other.file), ConfigError);
    EXPECT_THROW((void)native_graph(test::small_swin3d(), ""), ConfigError);
    EXPECT_NO_THROW((void)native_graph(test::small_cnn3d(), ""));
}

}  // namespace
}  // namespace edgeloop
