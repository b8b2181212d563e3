// Whether the sandbox changes what is measured: each network in turns without and with it, pinned
// to one core, so that both see the same machine. And what reading the clock outside costs: a
// network that spins for a known time, timed in its own process, as before there was a sandbox, and
// from outside, in turns. Prints JSON. Needs an idle machine.
//
//     edge_sandbox EDGELOOP_EDGE REPEATS SPEC...
#include "measuring.hpp"
#include "support/temporary_folder.hpp"
#include "support/timed_work.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/quantile.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace edgeloop;

constexpr int core = 0;
constexpr double target = 0.01;  ///< relative difference of the medians

Json compared(std::vector<double> without, std::vector<double> with) {
    const double before = median(std::move(without)), after = median(std::move(with));
    return {{"without_ms", before},
            {"with_ms", after},
            {"relative", after / before - 1},
            {"within", std::abs(after / before - 1) <= target}};
}

/// Median of one `edgeloop-edge measure`.
double measured_ms(const std::string& program, const std::string& spec, const char* sandbox) {
    const test::TemporaryFolder folder;
    ChildOptions child;
    child.arguments = {
        program,     "measure", "--spec",        spec, "--json",    "--cores", std::to_string(core),
        "--seconds", "10",      "--min-seconds", "3",  "--sandbox", sandbox};
    child.output_file = folder.path("out");
    const auto exit = ChildProcess(child).wait_for(120);
    if (!exit || exit->code != 0)
        throw IoError("edgeloop-edge measure failed", read_file(child.output_file));
    return read_json_file(child.output_file).at("metrics").at("latency_ms");
}

Json with_and_without(const std::string& program, const std::string& spec, int repeats) {
    std::vector<double> without, with;
    for (int i = 0; i < repeats; ++i) {
        without.push_back(measured_ms(program, spec, "off"));
        with.push_back(measured_ms(program, spec, "best"));
        std::fprintf(stderr, "%s: %g %g\n", spec.c_str(), without.back(), with.back());
    }
    Json line = compared(std::move(without), std::move(with));
    line["spec"] = spec;
    return line;
}

void spin(double milliseconds) {
    const double end = steady_seconds() + milliseconds * 1e-3;
    while (steady_seconds() < end) {
    }
}

/// Keeps its core busy for a given time.
class Spinning final : public Runtime {
  public:
    explicit Spinning(double milliseconds) : milliseconds_(milliseconds) {}
    void prepare(int) override {}
    void run() override { spin(milliseconds_); }
    [[nodiscard]] Metrics facts() const override { return {}; }

  private:
    double milliseconds_;
};

Json inside_and_outside(double milliseconds, int repeats) {
    MeasurementSettings settings;
    settings.time_budget_s = 2;
    MeasuringLimits limits;
    limits.cores = {core};
    std::vector<double> inside, outside;
    for (int i = 0; i < repeats; ++i) {
        const Timing timing =
            time_runs({[&] { spin(milliseconds); }}, timing_plan(settings, limits));
        inside.push_back(median(timing.samples_ms()));
        const MeasurementResult result = measure(
            make_job(Json::object(), settings, {}),
            [&](const Json&, const MeasurementSettings&) {
                return std::make_unique<Spinning>(milliseconds);
            },
            limits);
        if (result.status != Status::completed) throw IoError("not measured", result.reason);
        outside.push_back(result.metrics.at("latency_ms"));
    }
    Json line = compared(std::move(inside), std::move(outside));
    line["spins_ms"] = milliseconds;
    return line;
}

int run(const std::string& program, int repeats, const std::vector<std::string>& specs) {
    if (!pin_to_cpus({core})) throw IoError("cannot pin to a core");
    Json lines;
    for (const double milliseconds : {0.05, 0.1, 0.5, 1.0, 5.0, 50.0})
        lines["clock_outside"].push_back(inside_and_outside(milliseconds, repeats));
    for (const std::string& spec : specs)
        lines["sandbox"].push_back(with_and_without(program, spec, repeats));
    std::printf("%s\n", lines.dump(1).c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return edgeloop::run_program([&] {
        const int repeats = argc > 3 ? number_in<int>(argv[2]).value_or(0) : 0;
        if (repeats < 1) {
            std::fprintf(stderr, "usage: edge_sandbox EDGELOOP_EDGE REPEATS SPEC...\n");
            return 2;
        }
        return run(argv[1], repeats, {argv + 3, argv + argc});
    });
}
