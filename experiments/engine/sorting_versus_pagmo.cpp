// Time of non-dominated sorting, edgeloop's and pagmo2's, on uniform random points; medians of
// several turns within one run.

#include "edgeloop/core/quantile.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/evolution/pareto_ranks.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include <fmt/format.h>
#include <pagmo/utils/multi_objective.hpp>

namespace {

using namespace edgeloop;

Points uniform_points(std::size_t count, std::size_t objectives) {
    RandomStream random(1, "points", static_cast<std::uint32_t>(objectives), count);
    Points points(count, std::vector<double>(objectives));
    for (auto& point : points)
        for (double& x : point) x = random.uniform();
    return points;
}

template <class Action>
double median_seconds(int turns, Action action) {
    std::vector<double> seconds;
    for (int turn = 0; turn < turns; ++turn) {
        const auto start = std::chrono::steady_clock::now();
        action();
        const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
        seconds.push_back(passed.count());
    }
    return median(seconds);
}

void compare(std::size_t count, std::size_t objectives, bool with_peer) {
    const Points points = uniform_points(count, objectives);
    std::vector<std::size_t> ranks;
    const double ours = median_seconds(7, [&] { ranks = pareto_ranks(points); });
    const std::size_t fronts = 1 + *std::max_element(ranks.begin(), ranks.end());
    fmt::print("| {} | {} | {} | {:.2f} |", objectives, count, fronts, 1e3 * ours);
    if (with_peer) {
        std::vector<pagmo::pop_size_t> their_ranks;
        const double theirs = median_seconds(
            3, [&] { their_ranks = std::get<3>(pagmo::fast_non_dominated_sorting(points)); });
        const bool agree = std::equal(ranks.begin(), ranks.end(), their_ranks.begin());
        fmt::print(" {:.2f} | {:.0f} x{} |\n", 1e3 * theirs, theirs / ours,
                   agree ? "" : " DISAGREES");
    } else {
        fmt::print(" - | - |\n");
    }
    std::fflush(stdout);
}

}  // namespace

int main() {
    fmt::print(
        "| objectives | points | fronts | edgeloop ms | pagmo2 ms | ratio |\n"
        "| --- | --- | --- | --- | --- | --- |\n");
    constexpr std::size_t max_for_peer = 10000;  // quadratic beyond patience
    for (const std::size_t objectives : {2u, 3u, 4u, 5u})
        for (const std::size_t count : {100u, 1000u, 10000u, 30000u, 100000u})
            compare(count, objectives, count <= max_for_peer);
}
