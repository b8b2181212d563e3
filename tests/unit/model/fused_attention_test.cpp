#include "model/window_attention.hpp"

#include "edgeloop/model/threads.hpp"

#include <gtest/gtest.h>

namespace edgeloop::fused_attention_test {
namespace {

struct Case {
    Grid3 grid;
    Extent3 window;
    bool shifted;
    std::int64_t batch, heads, head_dim;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.grid[0] << "x" << c.grid[1] << "x" << c.grid[2] << " window " << c.window[0]
               << "x" << c.window[1] << "x" << c.window[2] << (c.shifted ? " shifted" : "")
               << ", batch " << c.batch << ", heads " << c.heads << "x" << c.head_dim;
}

/// Leaves of the operation, as doubles or floats.
struct Leaves {
    torch::Tensor qkv, padding, table;

    [[nodiscard]] std::vector<torch::Tensor> all() const { return {qkv, padding, table}; }
};

WindowGeometry geometry_of(const Case& c) { return window_geometry(c.grid, c.window, c.shifted); }

Leaves leaves_of(const Case& c) {
    torch::manual_seed(11);
    const std::int64_t channels = c.heads * c.head_dim;
    return {torch::randn({c.batch, c.grid[0], c.grid[1], c.grid[2], 3 * channels}),
            torch::randn({3 * channels}), torch::randn({geometry_of(c).table_rows(), c.heads})};
}

Leaves as(const Leaves& leaves, torch::ScalarType type) {
    const auto leaf = [&](const torch::Tensor& t) {
        return t.to(type).clone().set_requires_grad(true);
    };
    return {leaf(leaves.qkv), leaf(leaves.padding), leaf(leaves.table)};
}

/// 2-norm of the difference over that of the expectation, or over 1 where that is smaller: some
/// gradients are exactly zero.
double relative_error(const torch::Tensor& value, const torch::Tensor& expected) {
    const torch::Tensor reference = expected.to(torch::kDouble);
    return ((value.to(torch::kDouble) - reference).norm() / reference.norm().clamp_min(1))
        .item<double>();
}

class FusedAttention : public testing::TestWithParam<Case> {};

TEST_P(FusedAttention, AgreesWithThePlainWayInDoublePrecision) {
    const WindowGeometry geometry = geometry_of(GetParam());
    const Leaves leaves = leaves_of(GetParam());
    const Leaves exact = as(leaves, torch::kDouble), own = as(leaves, torch::kFloat);
    const torch::Tensor expected =
        window_attention(exact.qkv, exact.padding, exact.table, geometry, Kernels::plain);
    const torch::Tensor output = fused_window_attention(own.qkv, own.padding, own.table, geometry);
    EXPECT_LT(relative_error(output.detach(), expected.detach()), 2e-6);
    const torch::Tensor weights = torch::randn_like(output);
    (output * weights).sum().backward();
    (expected * weights.to(torch::kDouble)).sum().backward();
    EXPECT_LT(relative_error(own.qkv.grad(), exact.qkv.grad()), 1e-5);
    EXPECT_LT(relative_error(own.table.grad(), exact.table.grad()), 1e-5);
    const bool has_padding = geometry.grid != geometry.padded;
    if (has_padding)
        EXPECT_LT(relative_error(own.padding.grad(), exact.padding.grad()), 1e-5);
    else
        EXPECT_EQ(own.padding.grad().abs().max().item<float>(), 0);
}

TEST_P(FusedAttention, TheLibrarysAgreesWithThePlainWay) {
    const WindowGeometry geometry = geometry_of(GetParam());
    const Leaves leaves = leaves_of(GetParam());
    const Leaves exact = as(leaves, torch::kDouble), own = as(leaves, torch::kFloat);
    const torch::Tensor expected =
        window_attention(exact.qkv, exact.padding, exact.table, geometry, Kernels::plain);
    const torch::Tensor output =
        window_attention(own.qkv, own.padding, own.table, geometry, Kernels::library);
    EXPECT_LT(relative_error(output.detach(), expected.detach()), 2e-6);
    output.square().sum().backward();
    expected.square().sum().backward();
    EXPECT_LT(relative_error(own.qkv.grad(), exact.qkv.grad()), 1e-5);
    EXPECT_LT(relative_error(own.table.grad(), exact.table.grad()), 1e-5);
    if (geometry.grid == geometry.padded) return;
    EXPECT_LT(relative_error(own.padding.grad(), exact.padding.grad()), 1e-5);
}

TEST_P(FusedAttention, LeavesOtherTypesToTheLibrary) {
    const WindowGeometry geometry = geometry_of(GetParam());
    const Leaves own = as(leaves_of(GetParam()), torch::kDouble);
    const Leaves exact = as(leaves_of(GetParam()), torch::kDouble);
    const torch::Tensor output =
        window_attention(own.qkv, own.padding, own.table, geometry, Kernels::fused);
    const torch::Tensor expected =
        window_attention(exact.qkv, exact.padding, exact.table, geometry, Kernels::plain);
    EXPECT_LT(relative_error(output.detach(), expected.detach()), 1e-12);
    output.square().sum().backward();
    expected.square().sum().backward();
    EXPECT_LT(relative_error(own.qkv.grad(), exact.qkv.grad()), 1e-12);
    EXPECT_LT(relative_error(own.table.grad(), exact.table.grad()), 1e-12);
}

TEST_P(FusedAttention, GivesTheSameWithoutGradients) {
    const Leaves own = as(leaves_of(GetParam()), torch::kFloat);
    const WindowGeometry geometry = geometry_of(GetParam());
    const torch::Tensor trained = fused_window_attention(own.qkv, own.padding, own.table, geometry);
    const torch::NoGradGuard no_grad;
    EXPECT_TRUE(
        torch::equal(trained, fused_window_attention(own.qkv, own.padding, own.table, geometry)));
}

// Directional derivatives: the gradient's product with a random direction equals the central
// difference along it.
TEST_P(FusedAttention, GradientsAgreeWithFiniteDifferences) {
    const WindowGeometry geometry = geometry_of(GetParam());
    const Leaves own = as(leaves_of(GetParam()), torch::kFloat);
    const torch::Tensor output = fused_window_attention(own.qkv, own.padding, own.table, geometry);
    const torch::Tensor weights = torch::randn_like(output);
    (output * weights).sum().backward();
    const torch::NoGradGuard no_grad;
    const double step = 1e-2;
    for (std::size_t leaf = 0; leaf < 3; ++leaf) {
        const torch::Tensor direction = own.all()[leaf].grad() + torch::randn_like(own.all()[leaf]);
        const torch::Tensor unit = direction / direction.norm();
        const auto value_at = [&](double distance) {
            std::vector<torch::Tensor> moved = own.all();
            moved[leaf] = moved[leaf] + unit * distance;
            return (fused_window_attention(moved[0], moved[1], moved[2], geometry) * weights)
                .to(torch::kDouble)
                .sum()
                .item<double>();
        };
        const double difference = (value_at(step) - value_at(-step)) / (2 * step);
        const double derivative = (own.all()[leaf].grad() * unit).sum().item<double>();
        EXPECT_NEAR(difference, derivative, 2e-3 * std::abs(derivative) + 2e-3) << "leaf " << leaf;
    }
}

TEST_P(FusedAttention, DoesNotDependOnTheNumberOfThreads) {
    const WindowGeometry geometry = geometry_of(GetParam());
    const auto run = [&](int threads) {
        set_compute_threads(threads);
        const Leaves own = as(leaves_of(GetParam()), torch::kFloat);
        const torch::Tensor output =
            fused_window_attention(own.qkv, own.padding, own.table, geometry);
        output.square().sum().backward();
        set_compute_threads(1);
        return std::vector<torch::Tensor>{output, own.qkv.grad(), own.padding.grad(),
                                          own.table.grad()};
    };
    const auto one = run(1), three = run(3);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(torch::equal(one[i], three[i])) << i;
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, FusedAttention,
    testing::Values(Case{{2, 4, 4}, {2, 4, 4}, false, 1, 1, 8},    // one window
                    Case{{2, 8, 8}, {2, 4, 4}, false, 2, 3, 8},    // whole windows
                    Case{{4, 8, 8}, {2, 4, 4}, true, 2, 2, 16},    // shifted everywhere
                    Case{{1, 8, 8}, {8, 4, 4}, true, 1, 2, 8},     // time clipped
                    Case{{3, 5, 4}, {8, 7, 7}, true, 2, 2, 4},     // clipped everywhere
                    Case{{5, 9, 11}, {2, 4, 4}, true, 1, 2, 12},   // padded and shifted
                    Case{{3, 7, 10}, {2, 3, 4}, false, 1, 1, 5},   // padded, odd head size
                    Case{{9, 8, 15}, {8, 7, 7}, true, 1, 3, 32},   // the published window
                    Case{{1, 1, 1}, {8, 7, 7}, true, 3, 2, 1},     // a single token
                    Case{{2, 3, 9}, {2, 2, 3}, true, 1, 24, 3}));  // many heads

TEST(FusedAttentionNumbers, PassNotANumberOn) {
    const Case c{{2, 4, 4}, {2, 4, 4}, false, 1, 2, 8};
    Leaves own = leaves_of(c);
    own.qkv[0][0][1][2][3] = std::nanf("");  // a query of head 0
    const torch::Tensor output =
        fused_window_attention(own.qkv, own.padding, own.table, geometry_of(c));
    EXPECT_TRUE(torch::isnan(output[0][0][1][2].slice(0, 0, 8)).all().item<bool>());
    EXPECT_FALSE(torch::isnan(output[0][1]).any().item<bool>());
}

TEST(FusedAttentionNumbers, SurviveExtremeScores) {
    const Case c{{2, 4, 4}, {2, 4, 4}, false, 1, 1, 8};
    Leaves own = leaves_of(c);
    own.qkv *= 300;
    const torch::Tensor output =
        fused_window_attention(own.qkv, own.padding, own.table, geometry_of(c));
    const torch::Tensor expected =
        window_attention(own.qkv, own.padding, own.table, geometry_of(c), Kernels::plain);
    EXPECT_TRUE(torch::allclose(output, expected, 1e-4, 1e-3));
}

}  // namespace
}  // namespace edgeloop::fused_attention_test
