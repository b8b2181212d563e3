#include "edgeloop/inference/networks.hpp"

#include "unit/model/specs.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/inference/reference.hpp"
#include "edgeloop/inference/session.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::inference::networks_test {
namespace {

TEST(Networks, OfEveryFamilyRunAsTheReferenceDoes) {
    for (const ArchitectureSpec& spec : test::small_designs()) {
        if (const auto problem = native_problem(spec)) {
            EXPECT_EQ(spec.family, "swin3d") << *problem;
            continue;
        }
        const Graph graph = random_graph_of(spec);
        EXPECT_EQ(graph.metadata.at("spec").at("family"), spec.family);
        Values clip;
        for (std::int64_t i = 0; i < graph.input.elements(); ++i)
            clip.real.push_back(float(std::sin(0.37 * double(i))));
        const std::vector<float> expected = evaluate(graph, clip).back().real;
        for (const Instructions instructions : available_instructions()) {
            SessionOptions options;
            options.instructions = instructions;
            Session session(graph, options);
            std::vector<float> result(2);
            session.run(clip.real.data(), result.data());
            for (std::size_t i = 0; i < 2; ++i)
                EXPECT_NEAR(result[i], expected[i], 1e-4 * std::fabs(expected[i]) + 1e-6)
                    << spec.family << ' ' << to_string(instructions);
        }
    }
}

/// A design whose middle layers have so many bits.
ArchitectureSpec with_bits(ArchitectureSpec spec, const std::string& quantiser, int weights,
                           int activations) {
    const bool is_mbconv = spec.family == "mbconv3d";
    spec.architecture["norm"] = "affine";
    if (is_mbconv) spec.architecture["activation"] = "relu";
    if (is_mbconv) spec.architecture["stages"][1]["squeeze"] = 0;
    Json json = spec.to_json();
    const Json few{{"weights", weights}, {"activations", activations}};
    json["quantisation"] = {{"quantiser", quantiser},
                            {"stages", {is_mbconv ? few : Json::object(), few}},
                            {"dense", few}};
    return ArchitectureSpec::from_json(json, "test");
}

TEST(Networks, OfFewBitsEqualTheReferenceBitForBit) {
    for (const ArchitectureSpec& plain : {test::small_cnn3d(), test::small_mbconv3d()})
        for (const char* quantiser : {"lsq", "vecq"})
            for (const auto& [weights, activations] :
                 {std::pair(1, 1), std::pair(1, 2), std::pair(2, 2), std::pair(4, 4),
                  std::pair(3, 8), std::pair(8, 8)}) {
                const Graph graph =
                    random_graph_of(with_bits(plain, quantiser, weights, activations));
                ASSERT_FALSE(graph.input_elements.are_real());
                Values clip;
                for (std::int64_t i = 0; i < graph.input.elements(); ++i)
                    clip.integers.push_back(static_cast<std::uint8_t>(i * 37 % 251));
                const std::vector<Values> expected = evaluate(graph, clip);
                for (const Instructions instructions : available_instructions()) {
                    SessionOptions options;
                    options.instructions = instructions;
                    Session session(graph, options);
                    std::vector<float> result(2);
                    session.run(clip.integers.data(), result.data());
                    EXPECT_EQ(result, expected.back().real)
                        << plain.family << ' ' << quantiser << ' ' << weights << ' ' << activations
                        << ' ' << to_string(instructions);
                }
            }
}

TEST(Networks, HaveAsManyParametersAsTheirSpecs) {
    for (const ArchitectureSpec& spec : {test::small_cnn3d(), test::small_mbconv3d()}) {
        const Graph graph = random_graph_of(spec);
        EXPECT_EQ(parameters(graph), count(spec).parameters);
        EXPECT_EQ(stored_bytes(graph), 4 * count(spec).parameters);
    }
}

}  // namespace
}  // namespace edgeloop::inference::networks_test
