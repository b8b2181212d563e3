#include "edgeloop/inference/networks.hpp"

#include "unit/model/specs.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/inference/reference.hpp"
#include "edgeloop/inference/session.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace edgeloop::inference {
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

TEST(Networks, HaveAsManyParametersAsTheirSpecs) {
    for (const ArchitectureSpec& spec : {test::small_cnn3d(), test::small_mbconv3d()}) {
        const Graph graph = random_graph_of(spec);
        EXPECT_EQ(parameters(graph), count(spec).parameters);
        EXPECT_EQ(stored_bytes(graph), 4 * count(spec).parameters);
    }
}

}  // namespace
}  // namespace edgeloop::inference
