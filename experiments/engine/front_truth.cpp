// Is the front of a run what it says? Trains its members again, with seeds of which the run knew
// nothing. See README.md beside this file.
#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/data/dataset.hpp"
#include "edgeloop/search/engine.hpp"
#include "edgeloop/training/trainer.hpp"

#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

struct TruthOptions {
    std::string run, data;
    int seeds = 10, first = 1, threads = 1;
};

using Row = std::map<std::string, std::string>;

std::vector<Row> rows_of(const std::string& path) {
    std::istringstream text(read_file(path));
    std::string line;
    std::getline(text, line);
    const std::vector<std::string> names = csv_row(line);
    std::vector<Row> rows;
    while (std::getline(text, line)) {
        const std::vector<std::string> cells = csv_row(line);
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (i == 0) rows.emplace_back();
            rows.back()[names.at(i)] = cells[i];
        }
    }
    return rows;
}

/// As the run trained its designs; what it does not say has its default.
TrainingSettings settings_of(const TruthOptions& options) {
    const Json record = read_json_file(options.run + "/conditions.json");
    const Json& kept = record.at("conditions").at(record.at("current").get<std::size_t>() - 1);
    const Json& training = kept.at("training");
    const auto said = [&](const char* name, const std::string& otherwise) {
        return training.value(name, otherwise);
    };
    TrainingSettings settings;
    settings.dataset = std::make_shared<const Dataset>(options.data);
    settings.margin = std::stoi(said("margin", "6"));
    settings.short_lines = short_lines_from(said("short-lines", "skip"));
    settings.shortest_line = std::stoi(said("shortest-line", "0"));
    settings.validation_windows = std::stoi(said("validation-windows", "1"));
    settings.augment = said("augment", "true") == "true";
    settings.start_at_mean = said("normalise", "data") == "data";
    settings.data_seed = std::stoull(record.at("search").value("seed", "1"));
    settings.threads = options.threads;
    return settings;
}

Json judged(const TruthOptions& options, const Trainer& trainer, const Row& row) {
    const std::string id = row.at("id");
    const DesignPtr design = Design::of(
        ArchitectureSpec::from_file(fmt::format("{}/models/{}/spec.json", options.run, id)));
    std::vector<double> errors;
    double sum = 0, squares = 0;
    for (int i = 0; i < options.seeds; ++i) {
        Candidate candidate;
        candidate.id = std::uint64_t(i) + 1;
        candidate.design = design;
        // A seed of another run, so that no draw is one of this run's.
        candidate.seed =
            training_seed(std::uint64_t(1000000 + options.first + i), design->identity());
        const Outcome outcome = trainer.train(candidate, Communicator(), CancelToken());
        if (outcome.status != Status::completed) continue;
        errors.push_back(outcome.metrics.at("val_rmse"));
        sum += errors.back();
        squares += errors.back() * errors.back();
    }
    const auto n = double(errors.size());
    const double mean = sum / n;
    const double deviation = std::sqrt(std::max(0.0, (squares - n * mean * mean) / (n - 1)));
    const double said = std::stod(row.at("val_rmse"));
    Json judged = {
        {"id", id}, {"said", said}, {"mean", mean}, {"deviation", deviation}, {"trainings", n}};
    for (const char* name : {"val_rmse_se", "baseline_rmse", "first_val_rmse"})
        if (row.count(name) > 0 && !row.at(name).empty()) judged[name] = std::stod(row.at(name));
    if (judged.contains("val_rmse_se"))
        judged["off_by_se"] = (said - mean) / judged.at("val_rmse_se").get<double>();
    return judged;
}

int run(int argc, const char* const* argv) {
    TruthOptions options;
    cli::OptionParser parser(
        "front_truth",
        "trains each member of a run's front again with fresh seeds and compares "
        "the mean with what the run says; prints JSON.");
    parser.add("run-dir", &options.run, "a finished run");
    parser.add("data", &options.data, "its shards");
    parser.add("seeds", &options.seeds, "trainings of each member");
    parser.add("first", &options.first, "number of the first seed");
    parser.add("threads", &options.threads, "threads of tensor operations");
    if (!parser.parse(argc, argv)) return 0;
    if (options.run.empty() || options.data.empty())
        throw ConfigError("--run-dir or --data is missing", {}, "give both");
    const Trainer trainer(settings_of(options));
    Json members = Json::array();
    int within = 0, better = 0;
    for (const Row& row : rows_of(options.run + "/pareto.csv")) {
        members.push_back(judged(options, trainer, row));
        const Json& member = members.back();
        within +=
            member.contains("off_by_se") && std::abs(member.at("off_by_se").get<double>()) <= 2;
        better +=
            member.contains("baseline_rmse") && member.at("mean") < member.at("baseline_rmse");
        std::fprintf(stderr, "%s\n", member.dump().c_str());
    }
    const Json result = {{"experiment", "front_truth"},
                         {"members", members.size()},
                         {"within_two_standard_errors", within},
                         {"better_than_the_baseline", better},
                         {"judged", members}};
    std::printf("%s\n", result.dump(1).c_str());
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::run(argc, argv); });
}
