#include "report/document.hpp"

#include "edgeloop/core/dominance.hpp"
#include "edgeloop/evolution/hypervolume.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace edgeloop::report {
namespace {

/// Points of which the exact hypervolume takes a moment, by number of objectives.
std::size_t max_points(std::size_t objectives) {
    return objectives <= 2 ? 100'000 : objectives == 3 ? 1000 : 80;
}

double volume(const Points& front, const std::vector<double>& reference) {
    if (reference.empty() || front.empty() || front.front().size() != reference.size() ||
        reference.size() < 2 || front.size() > max_points(reference.size()))
        return missing;
    return hypervolume(front, reference);
}

std::vector<std::int64_t> ends_of(const RunView& run) {
    std::vector<std::int64_t> ends(run.rows, -1);
    const Column* id = run.find("id");
    if (id == nullptr || !id->is_number) return ends;
    for (std::size_t row = 0; row < run.rows; ++row) {
        const auto found =
            run.history.designs.find(static_cast<std::uint64_t>(std::max(0.0, id->numbers[row])));
        if (found != run.history.designs.end()) ends[row] = found->second.ended_ms;
    }
    return ends;
}

}  // namespace

std::vector<double> reference_of(const RunView& run) {
    std::vector<double> reference;
    if (const auto found = run.status.find("reference");
        found != run.status.end() && found->is_array())
        for (const Json& each : *found)
            if (each.is_number()) reference.push_back(each.get<double>());
    if (reference.size() != run.objectives.size()) reference.clear();
    return reference;
}

double front_hypervolume(const RunView& run, const std::vector<double>& reference) {
    const auto values = run.objective_values();
    Points front;
    for (const std::size_t row : run.front)
        if (!values[row].empty()) front.push_back(values[row]);
    return volume(front, reference);
}

Growth growth_of(const RunView& run) {
    const std::size_t most = run.objectives.size() > 2 ? 60 : 300;  // points of the curve
    Growth growth;
    growth.best.resize(run.objectives.size());
    const std::vector<std::int64_t> ends = ends_of(run);
    std::vector<std::size_t> order(run.rows);
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return ends[a] < ends[b]; });
    const auto values = run.objective_values();
    const auto completed = run.completed();
    const std::vector<double> reference = reference_of(run);
    const std::size_t step = std::max<std::size_t>(1, run.rows / most);
    Points front;
    std::vector<double> best(run.objectives.size(), missing);
    double reached = missing;
    bool grown = false;
    for (std::size_t i = 0; i < order.size(); ++i) {
        const Point& point = values[order[i]];
        const bool counts = completed[order[i]] && !point.empty();
        if (counts)
            for (std::size_t k = 0; k < best.size(); ++k) best[k] = std::fmin(best[k], point[k]);
        if (counts && std::none_of(front.begin(), front.end(), [&](const Point& other) {
                return weakly_dominates(other, point);
            })) {
            front.erase(std::remove_if(front.begin(), front.end(),
                                       [&](const Point& other) { return dominates(point, other); }),
                        front.end());
            front.push_back(point);
            grown = true;
        }
        if (i + 1 < order.size() && (i + 1) % step != 0) continue;
        if (grown) reached = volume(front, reference);
        grown = false;
        growth.done.push_back(static_cast<double>(i + 1));
        growth.seconds.push_back(
            ends[order[i]] < 0 ? missing
                               : static_cast<double>(ends[order[i]] - run.history.first_ms) / 1e3);
        growth.hypervolume.push_back(reached);
        for (std::size_t k = 0; k < best.size(); ++k) growth.best[k].push_back(best[k]);
    }
    return growth;
}

}  // namespace edgeloop::report
