// What spaces propose can be built and trained.
#include "unit/model/random_designs.hpp"

#include "model/network.hpp"

#include <gtest/gtest.h>

namespace edgeloop::random_designs_test {
namespace {

class RandomDesigns : public testing::TestWithParam<std::string> {};

TEST_P(RandomDesigns, RunForwardAndBackwardWithFiniteNumbers) {
    const SearchSpace space = SearchSpace::from_file(GetParam());
    const test::DesignBudget budget = test::design_budget();
    RandomStream random(3, "runs");
    torch::manual_seed(3);
    for (int number = 0; number < budget.designs; ++number) {
        const ArchitectureSpec spec = test::random_design(space, random, budget);
        SCOPED_TRACE(spec.canonical());
        const auto network = make_network(spec, random.next_u64());
        const torch::Tensor clip =
            torch::randn({1, 1, spec.clip.frames, spec.clip.side, spec.clip.side});
        const torch::Tensor output = network->forward(clip);
        ASSERT_TRUE(torch::isfinite(output).all().item<bool>());
        torch::mse_loss(output, torch::rand({1, 2})).backward();
        ASSERT_FALSE(network->named_parameters().is_empty());
        for (const auto& parameter : network->named_parameters()) {
            const torch::Tensor& gradient = parameter.value().grad();
            ASSERT_TRUE(gradient.defined()) << parameter.key();
            ASSERT_TRUE(torch::isfinite(gradient).all().item<bool>()) << parameter.key();
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Spaces, RandomDesigns, testing::ValuesIn(test::shipped_space_names()));

}  // namespace
}  // namespace edgeloop::random_designs_test
