// Engines on tables of finished evaluations: how near to the true front each comes after so many
// evaluations. A problem is one error of a table and one latency; see README.md.
//
//   tables-study FILE_OR_FOLDER... [--engines ...] [--seeds N] [--evaluations N]

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evolution/hypervolume.hpp"
#include "edgeloop/search/engine.hpp"
#include "edgeloop/table/outcomes.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::uint64_t looked_at[] = {50, 100, 200, 400};  // evaluations
constexpr double targets[] = {0.98, 0.99, 0.995};           // of the true front's hypervolume

/// A way to search, by the name that --engines gives.
struct Configuration {
    const char* name;
    void (*settle)(EngineSettings&);
};
const std::vector<Configuration> configurations = {
    {"generational", [](EngineSettings& s) { s.kind = EngineKind::generational; }},
    {"model-based", [](EngineSettings& s) { s.kind = EngineKind::model_based; }},
    {"steady-state", [](EngineSettings& s) { s.kind = EngineKind::steady_state; }},
    {"random", [](EngineSettings& s) { s.kind = EngineKind::random; }},
    {"generational-children",
     [](EngineSettings& s) {
         s.kind = EngineKind::generational;
         s.surrogate.children = 30;
     }},
    {"steady-state-children",
     [](EngineSettings& s) {
         s.kind = EngineKind::steady_state;
         s.surrogate.children = 30;
     }},
};

struct StudyConfig {
    std::vector<std::string> tables;
    std::vector<std::string> engines{"generational", "steady-state", "random"};
    int seeds = 15;
    std::uint64_t evaluations = 400;
    std::uint64_t population = 20;
    std::string problems;  ///< part of a name; empty: all
    int jobs = 0;          ///< 0: one for each core
};

/// Hypervolume of a growing set of points with two objectives.
class Front {
  public:
    explicit Front(const std::pair<double, double>& reference) : reference_(reference) {}

    void add(double x, double y) {
        if (x >= reference_.first || y >= reference_.second) return;
        auto next = steps_.upper_bound(x);
        if (next != steps_.begin() && std::prev(next)->second <= y) return;
        // From here to the right it lowers the staircase, up to where that is as low already.
        double left = x,
               height = next == steps_.begin() ? reference_.second : std::prev(next)->second;
        if (next != steps_.begin() && std::prev(next)->first == x)
            next = steps_.erase(std::prev(next));
        while (next != steps_.end() && next->second >= y) {
            volume_ += (next->first - left) * (height - y);
            left = next->first;
            height = next->second;
            next = steps_.erase(next);
        }
        volume_ += ((next == steps_.end() ? reference_.first : next->first) - left) * (height - y);
        steps_.emplace_hint(next, x, y);
    }
    [[nodiscard]] double volume() const { return volume_; }

  private:
    std::pair<double, double> reference_;
    std::map<double, double> steps_;  ///< points that no other dominates
    double volume_ = 0;
};

struct TableProblem {
    std::string name;  ///< table:error:latency
    std::shared_ptr<const DesignTable> table;
    std::string error, latency;
    std::size_t error_column = 0, latency_column = 0;
    std::pair<double, double> reference;
    double true_volume = 0;
};

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Columns as their names say: X_eN is X after N epochs, X_ms is measured.
TableDescription described_by_names(const std::string& path) {
    TableDescription description;
    for (const std::string& name : table_heading(path)) {
        if (ends_with(name, "_ms")) description.measured.push_back(name);
        const std::size_t mark = name.rfind("_e");
        if (mark == std::string::npos || mark == 0) continue;
        const auto epochs = number_in<int>(std::string_view(name).substr(mark + 2));
        if (epochs && *epochs > 0) description.fidelities[name.substr(0, mark)][*epochs] = name;
    }
    return description;
}

/// Of the whole table: the worst of each objective is where a result is worth nothing.
void know_truth(TableProblem& problem) {
    const std::vector<double>& errors = problem.table->column(problem.error_column);
    const std::vector<double>& latencies = problem.table->column(problem.latency_column);
    problem.reference = {*std::max_element(errors.begin(), errors.end()),
                         *std::max_element(latencies.begin(), latencies.end())};
    Points points;
    for (std::size_t row = 0; row < errors.size(); ++row)
        points.push_back({errors[row], latencies[row]});
    problem.true_volume = hypervolume(points, {problem.reference.first, problem.reference.second});
}

std::vector<TableProblem> problems_of(const std::string& path) {
    const std::string beside = description_beside(path);
    const bool described = std::filesystem::exists(beside);
    const TableDescription description =
        described ? read_table_description(beside) : described_by_names(path);
    const auto table = std::make_shared<const DesignTable>(DesignTable::read(path, description));
    std::string stem = std::filesystem::path(path).filename();
    stem = stem.substr(0, stem.find(".tsv"));
    std::vector<TableProblem> problems;
    for (const TableMetric& error : table->metrics()) {
        if (error.source != Source::training) continue;
        for (const TableMetric& latency : table->metrics()) {
            if (latency.source != Source::measuring) continue;
            TableProblem problem;
            problem.name = stem + ":" + error.name + ":" + latency.name;
            problem.table = table;
            problem.error = error.name;
            problem.latency = latency.name;
            problem.error_column = *error.column(0);
            problem.latency_column = *latency.column(0);
            problems.push_back(std::move(problem));
        }
    }
    return problems;
}

std::vector<TableProblem> all_problems(const StudyConfig& config) {
    std::vector<std::string> files;
    for (const std::string& path : config.tables) {
        if (!std::filesystem::is_directory(path)) {
            files.push_back(path);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(path))
            if (ends_with(entry.path(), ".tsv") || ends_with(entry.path(), ".tsv.gz"))
                files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::vector<TableProblem> problems;
    for (const std::string& file : files)
        for (TableProblem& problem : problems_of(file))
            if (problem.name.find(config.problems) != std::string::npos)
                problems.push_back(std::move(problem));
    for (TableProblem& problem : problems) know_truth(problem);
    if (problems.empty())
        throw ConfigError("there is no problem", "a problem is an error and a measured column",
                          "name the folder of a table, or describe its columns (README.md)");
    return problems;
}

/// What one search came to.
struct Curve {
    std::vector<double> shares;                         ///< by looked_at
    std::vector<std::optional<std::uint64_t>> reached;  ///< evaluations, by targets
};

Curve search(const TableProblem& problem, const Configuration& configuration, std::uint64_t seed,
             const StudyConfig& config) {
    EngineSettings settings;
    settings.seed = seed;
    settings.population = config.population;
    settings.evaluations = config.evaluations;
    settings.goals.objectives = {problem.error, problem.latency};
    settings.goals.reference = {problem.reference.first, problem.reference.second};
    settings.analytic = true;
    configuration.settle(settings);
    const DesignTable& table = *problem.table;
    // The latency is what is known before a candidate trains.
    const auto engine = make_engine(table.space(), settings, [&](const Candidate& candidate) {
        const auto row = table.find(candidate.genome);
        return row ? Metrics{{problem.latency, table.value(*row, problem.latency_column)}}
                   : Metrics();
    });
    Front front(problem.reference);
    Curve curve;
    curve.reached.resize(std::size(targets));
    for (std::uint64_t told = 1; const auto candidate = engine->ask(); ++told) {
        CompletedCandidate completed;
        completed.candidate = *candidate;
        completed.settled = completed.metrics = candidate->known;
        if (const auto row = table.find(candidate->genome)) {
            const double error = table.value(*row, problem.error_column);
            completed.metrics[problem.error] = error;
            front.add(error, candidate->known.at(problem.latency));
        } else {
            completed.status = Status::infeasible;
        }
        engine->tell(completed);
        const double share = front.volume() / problem.true_volume;
        if (std::count(std::begin(looked_at), std::end(looked_at), told) > 0)
            curve.shares.push_back(share);
        for (std::size_t i = 0; i < std::size(targets); ++i)
            if (!curve.reached[i] && share >= targets[i]) curve.reached[i] = told;
    }
    const double volume = hypervolume(engine->state().archive.points(), settings.goals.reference);
    EDGELOOP_EXPECT(std::abs(volume - front.volume()) <= 1e-9 * problem.true_volume,
                    "the hypervolume of the archive is not the sum of its steps");
    // A search that has tried all designs of a small table stays where it is.
    if (engine->state().exhausted)
        for (std::size_t i = curve.shares.size(); i < std::size(looked_at); ++i)
            if (looked_at[i] <= config.evaluations)
                curve.shares.push_back(front.volume() / problem.true_volume);
    return curve;
}

std::string row_of(const std::string& problem, const std::string& engine, std::uint64_t seed,
                   const Curve& curve) {
    std::string row = fmt::format("{}\t{}\t{}", problem, engine, seed);
    for (std::size_t i = 0; i < std::size(looked_at); ++i)
        row += i < curve.shares.size() ? fmt::format("\t{:.6f}", curve.shares[i]) : "\t";
    for (const auto& reached : curve.reached) row += reached ? fmt::format("\t{}", *reached) : "\t";
    return row + '\n';
}

/// Does all jobs in threads and prints what each gives, in their order.
void print_in_order(std::size_t jobs, unsigned threads,
                    const std::function<std::string(std::size_t)>& job) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::map<std::size_t, std::string> waiting;  // for those before them
    std::size_t printed = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < jobs; i = next++) {
            std::string text = job(i);
            const std::lock_guard lock(mutex);
            waiting.emplace(i, std::move(text));
            for (auto first = waiting.begin(); first != waiting.end() && first->first == printed;
                 first = waiting.erase(first), ++printed)
                std::fputs(first->second.c_str(), stdout);
            std::fflush(stdout);
        }
    };
    std::vector<std::thread> pool;
    for (unsigned i = 1; i < threads; ++i) pool.emplace_back(work);
    work();
    for (std::thread& thread : pool) thread.join();
}

std::vector<Configuration> chosen(const StudyConfig& config) {
    std::vector<Configuration> found;
    std::vector<std::string> known;
    for (const Configuration& each : configurations) known.emplace_back(each.name);
    for (const std::string& name : config.engines) {
        const auto at = std::find(known.begin(), known.end(), name);
        if (at == known.end())
            throw ConfigError(fmt::format("there is no engine '{}'", name), {},
                              did_you_mean(name, known));
        found.push_back(configurations[static_cast<std::size_t>(at - known.begin())]);
    }
    return found;
}

int study(int argc, const char* const* argv) {
    StudyConfig config;
    cli::OptionParser parser("tables-study",
                             "runs search engines on tables of finished evaluations");
    parser.positional("FILE_OR_FOLDER", &config.tables, "tables: .tsv, .tsv.gz, or their folders");
    parser.add("engines", &config.engines, "configurations to compare");
    parser.add("seeds", &config.seeds, "seeds of each, from 1", at_least(1));
    parser.add("evaluations", &config.evaluations, "designs of each search", at_least(1));
    parser.add("population", &config.population, "population size", at_least(2));
    parser.add("problems", &config.problems, "only problems with this in their name");
    parser.add("jobs", &config.jobs, "threads; 0: one for each core", at_least(0));
    if (!parser.parse(argc, argv)) return 0;
    const std::vector<Configuration> engines = chosen(config);
    const std::vector<TableProblem> problems = all_problems(config);
    std::string heading = "problem\tengine\tseed";
    for (const auto evaluations : looked_at) heading += fmt::format("\tshare_{}", evaluations);
    for (const double target : targets) heading += fmt::format("\tto_{:g}", 100 * target);
    fmt::print("{}\n", heading);
    const auto seeds = static_cast<std::size_t>(config.seeds);
    const std::size_t each = engines.size() * seeds;
    const unsigned threads = config.jobs > 0 ? static_cast<unsigned>(config.jobs)
                                             : std::max(1u, std::thread::hardware_concurrency());
    const double start = steady_seconds();
    print_in_order(problems.size() * each, threads, [&](std::size_t job) {
        const TableProblem& problem = problems[job / each];
        const Configuration& engine = engines[job % each / seeds];
        const std::uint64_t seed = job % seeds + 1;
        return row_of(problem.name, engine.name, seed, search(problem, engine, seed, config));
    });
    fmt::print(stderr, "{} searches of {} designs in {:.1f} s on {} threads\n",
               problems.size() * each, config.evaluations, steady_seconds() - start, threads);
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::study(argc, argv); });
}
