// Whether measurements can be trusted: a programmed network with known durations and one that does
// nothing, through the agent's own harness; then one small real network twenty times alone, and
// five times with a program that never sleeps on the same core; then others at the budget a search
// has. Prints JSON. Needs an idle machine.
#include "measuring.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace edgeloop;

constexpr int alone = 20, alone_at_default = 10, beside_a_hog = 5;  ///< repetitions
constexpr int core = 0;
/// Long enough for the clock of a processor that nobody has fixed to average out.
const std::vector<std::string> long_budget = {"--seconds", "20", "--min-seconds", "5"};

/// Keeps the processor busy for a given time; 0 returns at once.
class Programmed final : public Runtime {
  public:
    explicit Programmed(double milliseconds) : seconds_(milliseconds * 1e-3) {}
    void prepare(int) override {}
    void run() override {
        if (seconds_ <= 0) return;
        const double end = steady_seconds() + seconds_;
        while (steady_seconds() < end) {
        }
    }
    [[nodiscard]] Metrics facts() const override { return {}; }

  private:
    double seconds_;
};

Json programmed(double milliseconds) {
    MeasurementSettings settings;
    settings.time_budget_s = std::max(0.5, milliseconds * 0.1);
    const MeasurementResult result = measure(make_job(Json::object(), settings, ""),
                                             [&](const Json&, const MeasurementSettings&) {
                                                 return std::make_unique<Programmed>(milliseconds);
                                             });
    const double median = result.metrics.at("latency_ms");
    return {{"programmed_ms", milliseconds},
            {"reported_ms", median},
            {"error_us", (median - milliseconds) * 1e3},
            {"within", std::abs(median - milliseconds) <= std::max(0.02, 0.01 * milliseconds)}};
}

/// `edgeloop-edge measure` of a network, pinned.
Json measured(const std::string& program, const std::string& spec,
              const std::vector<std::string>& budget, const std::string& output) {
    std::remove(output.c_str());
    ChildOptions child;
    child.arguments = {program,   "measure",           "--spec", spec, "--json",
                       "--cores", std::to_string(core)};
    child.arguments.insert(child.arguments.end(), budget.begin(), budget.end());
    child.output_file = output;
    const auto exit = ChildProcess(child).wait_for(120);
    if (!exit || exit->code != 0) throw IoError("edgeloop-edge measure failed", read_file(output));
    return read_json_file(output).at("metrics");
}

Json medians_of(const std::vector<double>& medians) {
    if (medians.empty()) return {{"n", 0}};
    const auto [lowest, highest] = std::minmax_element(medians.begin(), medians.end());
    const double middle = summarise(medians).median_ms;
    return {{"n", medians.size()},
            {"median_ms", middle},
            {"lowest_ms", *lowest},
            {"highest_ms", *highest},
            {"range_relative", (*highest - *lowest) / middle}};
}

Json repeated(const std::string& program, const std::string& spec,
              const std::vector<std::string>& budget, int repetitions) {
    const test::TemporaryFolder folder;
    std::vector<double> medians, valid_medians, relative_width, disturbed;
    std::vector<std::pair<double, double>> intervals;
    for (int i = 0; i < repetitions; ++i) {
        const Json metrics = measured(program, spec, budget, folder.path("out"));
        const auto median = metrics.at("latency_ms").get<double>();
        medians.push_back(median);
        if (metrics.at("latency_valid") == 1) valid_medians.push_back(median);
        intervals.emplace_back(metrics.at("latency_low_ms"), metrics.at("latency_high_ms"));
        relative_width.push_back((intervals.back().second - intervals.back().first) / median);
        disturbed.push_back(metrics.value("latency_disturbed", 0.0));
        std::fprintf(stderr, "%s\n", metrics.dump().c_str());
    }
    const double middle = summarise(medians).median_ms;
    const auto held = std::count_if(intervals.begin(), intervals.end(), [&](const auto& interval) {
        return interval.first <= middle && middle <= interval.second;
    });
    return {{"of_all", medians_of(medians)},
            {"intervals_with_their_median", held},
            {"of_valid", medians_of(valid_medians)},
            {"median_interval_relative", summarise(relative_width).median_ms},
            {"median_disturbed", summarise(disturbed).median_ms}};
}

/// A process that never sleeps, on the core the measurements use.
class Hog {
  public:
    Hog() : pid_(::fork()) {
        if (pid_ != 0) return;
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(core, &set);
        ::sched_setaffinity(0, sizeof set, &set);
        while (true) {
        }
    }
    ~Hog() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Hog(const Hog&) = delete;
    Hog& operator=(const Hog&) = delete;

  private:
    pid_t pid_;
};

Json alone_and_beside_a_hog(const std::string& program, const std::string& spec,
                            const std::vector<std::string>& budget, int repetitions) {
    Json line{{"spec", spec}};
    line["alone"] = repeated(program, spec, budget, repetitions);
    const Hog hog;
    line["with_a_hog"] = repeated(program, spec, budget, beside_a_hog);
    return line;
}

int run(const std::string& program, const std::vector<std::string>& specs) {
    Json line;
    for (const double ms : {0.0, 0.05, 0.2, 1.0, 5.0, 20.0, 100.0})
        line["programmed"].push_back(programmed(ms));
    line["long_budget"] = alone_and_beside_a_hog(program, specs.front(), long_budget, alone);
    line["default_budget"] = Json::array();
    for (auto spec = specs.begin() + 1; spec != specs.end(); ++spec)
        line["default_budget"].push_back(
            alone_and_beside_a_hog(program, *spec, {}, alone_at_default));
    std::printf("%s\n", line.dump(1).c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return edgeloop::run_program([&] {
        if (argc < 3) {
            std::fprintf(stderr,
                         "usage: edge_trust EDGELOOP_EDGE SPEC [SPEC_AT_DEFAULT_BUDGET]...\n");
            return 2;
        }
        return run(argv[1], {argv + 2, argv + argc});
    });
}
