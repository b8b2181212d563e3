// Engines on tables of finished evaluations: how near to the true front each comes after so many
// evaluations, and in what time with so many workers. A problem is one error of a table and one
// latency; see README.md.
//
//   tables-study FILE_OR_FOLDER... [--engines ...] [--seeds N] [--workers N...] [--rungs N...]

#include "table_search.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/search/engine.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

const std::vector<EngineChoice> engine_choices = {
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
    std::vector<std::string> engines{"model-based", "generational", "steady-state", "random"};
    std::vector<int> workers{1};
    int seeds = 15;
    TableSearch search;
    std::string problems;  ///< part of a name; empty: all
    int jobs = 0;          ///< 0: one for each core
};

/// One search of the study.
struct Job {
    const TableProblem* problem;
    EngineChoice engine;
    std::uint64_t seed;
    int workers;
};

std::string heading() {
    std::string heading = "problem\tengine\tseed\tworkers\trungs";
    for (const auto evaluations : looked_at) heading += fmt::format("\tshare_{}", evaluations);
    for (const char* what : {"to", "time_to"})
        for (const double target : targets) {
            std::string percent = fmt::format("{:g}", 100 * target);
            std::replace(percent.begin(), percent.end(), '.', '_');
            heading += fmt::format("\t{}_{}", what, percent);
        }
    return heading + "\tevaluations\ttime\theld_68\n";
}

std::string row_of(const Job& job, const std::vector<int>& rungs, const Course& course) {
    std::string row = fmt::format("{}\t{}\t{}\t{}\t{}", job.problem->name, job.engine.name,
                                  job.seed, job.workers, fmt::join(rungs, "-"));
    for (std::size_t i = 0; i < std::size(looked_at); ++i)
        row += i < course.shares.size() ? fmt::format("\t{:.6f}", course.shares[i]) : "\t";
    for (const auto& reached : course.reached)
        row += reached ? fmt::format("\t{:g}", reached->evaluations) : "\t";
    for (const auto& reached : course.reached)
        row += reached ? fmt::format("\t{:g}", reached->time) : "\t";
    row += fmt::format("\t{:g}\t{:g}", course.end.evaluations, course.end.time);
    return row + (course.held ? fmt::format("\t{:.4f}\n", *course.held) : "\t\n");
}

/// Does all jobs in threads and prints what each gives, in their order. The first error ends it.
void print_in_order(std::size_t jobs, unsigned threads,
                    const std::function<std::string(std::size_t)>& job) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::map<std::size_t, std::string> waiting;  // for those before them
    std::size_t printed = 0;
    std::exception_ptr error;
    const auto do_all = [&] {
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
    const auto work = [&] {
        try {
            do_all();
        } catch (...) {
            next = jobs;
            const std::lock_guard lock(mutex);
            if (!error) error = std::current_exception();
        }
    };
    std::vector<std::thread> pool;
    for (unsigned i = 1; i < threads; ++i) pool.emplace_back(work);
    work();
    for (std::thread& thread : pool) thread.join();
    if (error) std::rethrow_exception(error);
}

std::vector<EngineChoice> chosen(const StudyConfig& config) {
    std::vector<EngineChoice> found;
    std::vector<std::string> known;
    for (const EngineChoice& each : engine_choices) known.emplace_back(each.name);
    for (const std::string& name : config.engines) {
        const auto at = std::find(known.begin(), known.end(), name);
        if (at == known.end())
            throw ConfigError(fmt::format("there is no engine '{}'", name), {},
                              did_you_mean(name, known));
        found.push_back(engine_choices[static_cast<std::size_t>(at - known.begin())]);
    }
    return found;
}

std::vector<Job> jobs_of(const StudyConfig& config, const std::vector<TableProblem>& problems) {
    std::vector<Job> jobs;
    const std::vector<EngineChoice> engines = chosen(config);
    for (const TableProblem& problem : problems)
        for (const EngineChoice& engine : engines)
            for (const int workers : config.workers)
                for (int seed = 1; seed <= config.seeds; ++seed)
                    jobs.push_back({&problem, engine, static_cast<std::uint64_t>(seed), workers});
    return jobs;
}

int study(int argc, const char* const* argv) {
    StudyConfig config;
    TableSearch& search = config.search;
    cli::OptionParser parser("tables-study",
                             "runs search engines on tables of finished evaluations");
    parser.positional("FILE_OR_FOLDER", &config.tables, "tables: .tsv, .tsv.gz, or their folders");
    parser.add("engines", &config.engines, "configurations to compare");
    parser.add("seeds", &config.seeds, "seeds of each, from 1", at_least(1));
    parser.add("evaluations", &search.evaluations,
               "designs of each search; with --rungs as many "
               "full trainings",
               at_least(1));
    parser.add("population", &search.population, "population size", at_least(2));
    parser.add("rungs", &search.rungs, "epochs of each rung: the table has the error after each",
               at_least(1));
    parser.add("workers", &config.workers, "that train at once in virtual time", at_least(1));
    parser.add("sigma", &search.sigma, "of the logarithm of a training's time", at_least(0));
    parser.add("until", &search.until, "share of the true hypervolume at which a search stops",
               more_than(0));
    parser.add("problems", &config.problems, "only problems with this in their name");
    parser.add("jobs", &config.jobs, "threads; 0: one for each core", at_least(0));
    if (!parser.parse(argc, argv)) return 0;
    const std::vector<TableProblem> problems =
        table_problems(config.tables, config.problems, search.rungs);
    const std::vector<Job> jobs = jobs_of(config, problems);
    fmt::print("{}", heading());
    const unsigned threads = config.jobs > 0 ? static_cast<unsigned>(config.jobs)
                                             : std::max(1u, std::thread::hardware_concurrency());
    const double start = steady_seconds();
    print_in_order(jobs.size(), threads, [&](std::size_t i) {
        const Job& job = jobs[i];
        return row_of(job, search.rungs,
                      search_table(*job.problem, job.engine, job.seed,
                                   static_cast<std::size_t>(job.workers), search));
    });
    fmt::print(stderr, "{} searches of {} designs in {:.1f} s on {} threads\n", jobs.size(),
               search.evaluations, steady_seconds() - start, threads);
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::study(argc, argv); });
}
