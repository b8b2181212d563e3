#include "report/events.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::report {
namespace {

constexpr std::size_t max_events = 60'000;  // of each kind
constexpr std::size_t max_epochs = 12'000;  // of all curves together

std::size_t first_kept(std::size_t count) { return count > max_events ? count - max_events : 0; }

template <class Values>
double value_in(const Values& values, const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? missing : found->second;
}

bool any_known(const std::vector<double>& values) {
    return std::any_of(values.begin(), values.end(),
                       [](double value) { return !std::isnan(value); });
}

}  // namespace

double EventTables::row_of(std::uint64_t id) const {
    const auto found = rows_.find(id);
    return static_cast<double>(found == rows_.end() ? run_.rows : found->second);
}

Json EventTables::trainings() {
    const auto& all = run_.history.trainings;
    const std::size_t first = first_kept(all.size());
    std::vector<double> rows, ids, repeats, starts, ends;
    std::vector<std::string> statuses, reasons, ranks;
    for (std::size_t i = first; i < all.size(); ++i) {
        rows.push_back(row_of(all[i].id));
        ids.push_back(static_cast<double>(all[i].id));
        repeats.push_back(all[i].repeat);
        const double end = all[i].end_ms >= 0 ? since_start(all[i].end_ms) : missing;
        ends.push_back(end);
        starts.push_back(all[i].start_ms >= 0
                             ? since_start(all[i].start_ms)
                             : std::max(0.0, std::round(end - 1e3 * all[i].seconds)));
        statuses.push_back(all[i].status);
        reasons.push_back(all[i].reason);
        ranks.push_back(fmt::format("{}", fmt::join(all[i].ranks, " ")));
    }
    Json columns = {encoder_.named("row", rows),       encoder_.named("id", ids),
                    encoder_.named("repeat", repeats), encoder_.named("start", starts),
                    encoder_.named("end", ends),       encoder_.named("status", statuses),
                    encoder_.named("reason", reasons), encoder_.named("ranks", ranks)};
    add_metrics(columns, first);
    return {{"rows", rows.size()}, {"columns", columns}, {"left_out", first}};
}

void EventTables::add_metrics(Json& columns, std::size_t first) {
    const auto& all = run_.history.trainings;
    std::set<std::string> names(run_.objectives.begin(), run_.objectives.end());
    names.insert({"train_epochs", "train_loss", "best_epoch"});
    for (const std::string& name : names) {
        std::vector<double> values;
        for (std::size_t i = first; i < all.size(); ++i)
            values.push_back(value_in(all[i].metrics, name));
        if (any_known(values)) columns.push_back(encoder_.named("metric:" + name, values));
    }
}

Json EventTables::measurements() {
    const auto& all = run_.history.measurements;
    const std::size_t first = first_kept(all.size());
    std::vector<double> rows, ids, starts, ends;
    std::vector<std::string> devices, statuses, reasons;
    for (std::size_t i = first; i < all.size(); ++i) {
        rows.push_back(row_of(all[i].id));
        ids.push_back(static_cast<double>(all[i].id));
        ends.push_back(since_start(all[i].end_ms));
        starts.push_back(std::max(0.0, std::round(ends.back() - 1e3 * all[i].seconds)));
        devices.push_back(all[i].device);
        statuses.push_back(all[i].status);
        reasons.push_back(all[i].reason);
    }
    return {
        {"rows", rows.size()},
        {"left_out", first},
        {"columns",
         {encoder_.named("row", rows), encoder_.named("id", ids), encoder_.named("start", starts),
          encoder_.named("end", ends), encoder_.named("device", devices),
          encoder_.named("status", statuses), encoder_.named("reason", reasons)}}};
}

Json EventTables::notes() {
    const auto& all = run_.history.notes;
    const std::size_t first = first_kept(all.size());
    std::vector<double> rows, times;
    std::vector<std::string> whats, reasons;
    for (std::size_t i = first; i < all.size(); ++i) {
        rows.push_back(all[i].id == 0 ? missing : row_of(all[i].id));
        times.push_back(since_start(all[i].time_ms));
        whats.push_back(all[i].what);
        reasons.push_back(all[i].reason);
    }
    return {{"rows", rows.size()},
            {"left_out", first},
            {"columns",
             {encoder_.named("row", rows), encoder_.named("time", times),
              encoder_.named("what", whats), encoder_.named("reason", reasons)}}};
}

Json EventTables::curves(const std::vector<std::size_t>& first) {
    const auto& all = run_.history.trainings;
    std::map<std::size_t, std::vector<std::size_t>> trainings;  // by row of the design
    for (std::size_t i = first_kept(all.size()); i < all.size(); ++i)
        if (const auto row = rows_.find(all[i].id);
            row != rows_.end() && !all[i].curve.epochs.empty())
            trainings[row->second].push_back(i);
    std::set<std::string> names(run_.objectives.begin(), run_.objectives.end());
    names.insert({"train_loss", "learning_rate", "val_rmse", "averaged_rmse"});
    std::vector<double> places, epochs;
    std::map<std::string, std::vector<double>> metrics;
    std::size_t left_out = 0;
    for (const std::size_t row : first) {
        for (const std::size_t i : trainings[row]) {
            const LearningCurve& curve = all[i].curve;
            if (epochs.size() + curve.epochs.size() > max_epochs) {
                ++left_out;
                continue;
            }
            epochs.insert(epochs.end(), curve.epochs.begin(), curve.epochs.end());
            places.resize(epochs.size(), static_cast<double>(i - first_kept(all.size())));
            for (const std::string& name : names) {
                const auto found = curve.metrics.find(name);
                for (std::size_t k = 0; k < curve.epochs.size(); ++k)
                    metrics[name].push_back(
                        found == curve.metrics.end()
                            ? missing
                            : static_cast<double>(static_cast<float>(found->second[k])));
            }
        }
    }
    Json columns = {encoder_.named("training", places), encoder_.named("epoch", epochs)};
    for (const auto& [name, values] : metrics)
        if (any_known(values)) columns.push_back(encoder_.named("metric:" + name, values));
    return {{"rows", epochs.size()}, {"columns", columns}, {"left_out", left_out}};
}

}  // namespace edgeloop::report
