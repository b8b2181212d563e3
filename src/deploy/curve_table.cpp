#include "curve_table.hpp"

#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr const char* error = "val_rmse";

double result_of(const EpochRecord& record) {
    const double own = record.metrics.at(error);
    return record.averaged_rmse > 0 ? std::min(own, record.averaged_rmse) : own;
}

}  // namespace

std::string curve_table(const std::vector<std::vector<EpochRecord>>& repeats) {
    std::set<std::string> others;
    bool averages = false;
    for (const auto& curve : repeats)
        for (const EpochRecord& record : curve) {
            for (const auto& each : record.metrics) others.insert(each.first);
            averages = averages || record.averaged_rmse > 0;
        }
    std::vector<std::string> names{"train_loss", error};
    for (const std::string& name : names) others.erase(name);
    names.insert(names.end(), others.begin(), others.end());
    std::string text = "repeat,epoch,learning_rate";
    for (const std::string& name : names) text += ',' + csv_cell(name);
    text += averages ? ",averaged_val_rmse\n" : "\n";
    for (std::size_t repeat = 0; repeat < repeats.size(); ++repeat)
        for (const EpochRecord& record : repeats[repeat]) {
            text +=
                fmt::format("{},{},{}", repeat + 1, record.epoch, shortest(record.learning_rate));
            for (const std::string& name : names) {
                const auto found = record.metrics.find(name);
                text += ',';
                if (found != record.metrics.end()) text += shortest(found->second);
            }
            text += averages ? ',' + shortest(record.averaged_rmse) + '\n' : "\n";
        }
    return text;
}

std::string epoch_line(const std::vector<EpochRecord>& curve, int epochs) {
    const EpochRecord& last = curve.back();
    std::string line =
        fmt::format("epoch {}/{} | rate {:.3g}", last.epoch, epochs, last.learning_rate);
    const auto loss = last.metrics.find("train_loss");
    if (loss != last.metrics.end()) line += fmt::format(" | train_loss {:.4g}", loss->second);
    line += fmt::format(" | val_rmse {:.4f}", last.metrics.at(error));
    if (last.averaged_rmse > 0) line += fmt::format(", averaged {:.4f}", last.averaged_rmse);
    const bool best = std::all_of(curve.begin(), curve.end() - 1, [&](const EpochRecord& earlier) {
        return result_of(earlier) > result_of(last);
    });
    return best ? line + " | best so far" : line;
}

}  // namespace edgeloop
