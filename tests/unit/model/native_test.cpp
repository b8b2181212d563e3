#include "edgeloop/model/native.hpp"

#include "lively_network.hpp"
#include "low_designs.hpp"
#include "model/native_graph.hpp"
#include "model/network.hpp"
#include "model/weights_file.hpp"
#include "specs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/inference/networks.hpp"
#include "edgeloop/inference/session.hpp"

#include <cstdlib>

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace edgeloop::native_test {
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

ArchitectureSpec with_bits(ArchitectureSpec spec, const std::string& quantiser, int bits) {
    spec.architecture["norm"] = "affine";
    const bool is_mbconv = spec.family == "mbconv3d";
    if (is_mbconv) spec.architecture["activation"] = "relu";
    if (is_mbconv) spec.architecture["stages"][1]["squeeze"] = 0;
    Json json = spec.to_json();
    const Json few{{"weights", bits}, {"activations", bits}};
    json["quantisation"] = {{"quantiser", quantiser},
                            {"stages", {is_mbconv ? few : Json::object(), few}},
                            {"dense", few}};
    return ArchitectureSpec::from_json(json, "test");
}

// A sum of float32 may round to the neighbouring activation: of 8 bits that is a small step.
TEST(Native, NetworksOfEightBitsGiveWhatFakeQuantisationGives) {
    for (const ArchitectureSpec& plain : {test::small_cnn3d(), test::small_mbconv3d()})
        for (const char* quantiser : {"lsq", "vecq"})
            for (const char* reduce : {"mean", "flatten"}) {
                ArchitectureSpec spec = plain;
                if (spec.family == "cnn3d") spec.architecture["reduce"] = reduce;
                spec = with_bits(spec, quantiser, 8);
                SCOPED_TRACE(spec.canonical());
                const Trained trained(spec);
                inference::Session session(native_graph(spec, trained.file));
                EXPECT_FALSE(session.graph().input_elements.are_real());
                const torch::NoGradGuard no_grad;
                const torch::Tensor grey = torch::randint(
                    0, 256, {1, 1, spec.clip.frames, spec.clip.side, spec.clip.side});
                const torch::Tensor clip = (grey / 255 - spec.clip.mean) / spec.clip.deviation;
                const torch::Tensor expected = trained.network->forward(clip);
                torch::Tensor result = torch::empty_like(expected);
                session.run(clip.data_ptr<float>(), result.data_ptr<float>());
                const double difference = (result - expected).abs().max().item<double>();
                EXPECT_LE(difference, 0.01 * expected.abs().max().item<double>());
            }
}

/// In float64 no sum is off by enough to round to a neighbour, apart from what a multiplier of 31
/// bits is off by, so that results are equal.
void expect_the_integer_network(const ArchitectureSpec& spec, std::uint64_t seed) {
    SCOPED_TRACE(spec.canonical());
    const test::LowNetwork low(spec, seed);
    const torch::NoGradGuard no_grad;
    const torch::Tensor expected = low.network->forward(low.clips).to(torch::kFloat);
    inference::Session session(native_graph(spec, *low.network));
    torch::Tensor results = torch::empty_like(expected);
    for (int i = 0; i < results.size(0); ++i)
        session.run(low.grey[i].data_ptr<std::uint8_t>(), results[i].data_ptr<float>());
    EXPECT_LE((results - expected).abs().max().item<double>(),
              1e-5 * expected.abs().max().item<double>());
}

TEST(Native, FakeQuantisedNetworksOfAllPairsOfBitsAreTheIntegerNetwork) {
    RandomStream random(1, "low designs");
    const char* const wanted = std::getenv("EDGELOOP_DESIGNS");
    const int rounds = wanted == nullptr ? 1 : std::max(1, std::atoi(wanted) / 80);
    for (int round = 0; round < rounds; ++round)
        for (int weights = 1; weights <= 8; ++weights)
            for (const int activations : {1, 2, 3, 4, 8})
                for (const bool is_mbconv : {false, true})
                    expect_the_integer_network(
                        test::random_low_design(
                            random, {{"weights", weights}, {"activations", activations}},
                            is_mbconv),
                        random.next_u64());
}

// Its bias would be more accumulators than 32 bits hold.
TEST(Native, AChannelThatItsNormSwitchesOffKeepsItsBias) {
    const ArchitectureSpec spec = with_bits(test::small_cnn3d(), "lsq", 4);
    const auto network = test::lively_network(spec, 1);
    const torch::NoGradGuard no_grad;
    for (auto& parameter : network->named_parameters()) {
        if (parameter.key() == "stages.1.norm.weight") parameter.value()[0] = 0;
        if (parameter.key() == "stages.1.norm.bias") parameter.value()[0] = 2;
    }
    const torch::Tensor grey =
        torch::randint(0, 256, {1, 1, spec.clip.frames, spec.clip.side, spec.clip.side});
    const torch::Tensor clip = (grey / 255 - spec.clip.mean) / spec.clip.deviation;
    const torch::Tensor expected = network->forward(clip);
    inference::Session session(native_graph(spec, *network));
    torch::Tensor result = torch::empty_like(expected);
    session.run(clip.data_ptr<float>(), result.data_ptr<float>());
    EXPECT_LE((result - expected).abs().max().item<double>(),
              0.05 * expected.abs().max().item<double>());
}

// What is measured before there are weights.
TEST(Native, RandomGraphsHaveTheBitsOfTheSpec) {
    for (const ArchitectureSpec& plain : {test::small_cnn3d(), test::small_mbconv3d()}) {
        const ArchitectureSpec spec = with_bits(plain, "lsq", 2);
        const inference::Graph random = inference::random_graph_of(spec);
        const inference::Graph trained = native_graph(spec, "");
        ASSERT_EQ(random.layers.size(), trained.layers.size());
        int integers = 0;
        for (std::size_t i = 0; i < random.layers.size(); ++i) {
            const auto &one = random.layers[i], &other = trained.layers[i];
            EXPECT_EQ(one.operation, other.operation);
            EXPECT_EQ(one.integer.weight_bits, other.integer.weight_bits);
            EXPECT_EQ(one.integer.output_bits, other.integer.output_bits);
            EXPECT_EQ(one.integer.grid, other.integer.grid);
            integers += one.integer.weight_bits == 2 ? 1 : 0;
        }
        EXPECT_GE(integers, 2);
    }
}

TEST(Native, SaysWhichQuantisedNetworksItDoesNotRun) {
    ArchitectureSpec weights_alone = with_bits(test::small_cnn3d(), "lsq", 2);
    weights_alone.quantisation.stages[1].activations = Bits::none;
    EXPECT_TRUE(inference::native_problem(weights_alone));
    EXPECT_FALSE(inference::native_problem(with_bits(test::small_cnn3d(), "lsq", 2)));
    ArchitectureSpec partly = with_bits(test::small_mbconv3d(), "lsq", 2);
    partly.quantisation.first = float_bits;
    EXPECT_TRUE(inference::native_problem(partly));
    ArchitectureSpec relu = partly;
    relu.quantisation = {};
    EXPECT_TRUE(inference::native_problem(relu));
}

TEST(Native, OtherWeightsAndFamiliesAreRefused) {
    const Trained other(test::small_mbconv3d());
    EXPECT_THROW((void)native_graph(test::small_cnn3d(), other.file), ConfigError);
    EXPECT_THROW((void)native_graph(test::small_swin3d(), ""), ConfigError);
    EXPECT_NO_THROW((void)native_graph(test::small_cnn3d(), ""));
}

}  // namespace
}  // namespace edgeloop::native_test
