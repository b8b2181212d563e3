#include "edgeloop/evolution/problems.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/evolution/nas_table.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

using Genes = std::vector<double>;

using Objectives = std::vector<double> (*)(const Genes&);
using Constrained = Evaluation (*)(const Genes&);

// --- ZDT: Zitzler, Deb, Thiele, Evolutionary Computation 8(2), 2000 ---------------------------

double tail_mean(const Genes& x) {
    return std::accumulate(x.begin() + 1, x.end(), 0.0) / static_cast<double>(x.size() - 1);
}

std::vector<double> zdt1(const Genes& x) {
    const double g = 1 + 9 * tail_mean(x);
    return {x[0], g * (1 - std::sqrt(x[0] / g))};
}

std::vector<double> zdt2(const Genes& x) {
    const double g = 1 + 9 * tail_mean(x);
    return {x[0], g * (1 - square(x[0] / g))};
}

std::vector<double> zdt3(const Genes& x) {
    const double g = 1 + 9 * tail_mean(x), ratio = x[0] / g;
    return {x[0], g * (1 - std::sqrt(ratio) - ratio * std::sin(10 * pi * x[0]))};
}

std::vector<double> zdt4(const Genes& x) {
    double g = 1 + 10 * static_cast<double>(x.size() - 1);
    for (std::size_t i = 1; i < x.size(); ++i) g += square(x[i]) - 10 * std::cos(4 * pi * x[i]);
    return {x[0], g * (1 - std::sqrt(x[0] / g))};
}

std::vector<double> zdt6(const Genes& x) {
    const double f1 = 1 - std::exp(-4 * x[0]) * std::pow(std::sin(6 * pi * x[0]), 6);
    const double g = 1 + 9 * std::pow(tail_mean(x), 0.25);
    return {f1, g * (1 - square(f1 / g))};
}

// --- DTLZ with 3 objectives: Deb, Thiele, Laumanns, Zitzler, CEC 2002 -------------------------

constexpr std::size_t dtlz_objectives = 3;

double sphere_distance(const Genes& x) {
    double g = 0;
    for (std::size_t i = dtlz_objectives - 1; i < x.size(); ++i) g += square(x[i] - 0.5);
    return g;
}

double rastrigin_distance(const Genes& x) {
    double g = static_cast<double>(x.size() - dtlz_objectives + 1);
    for (std::size_t i = dtlz_objectives - 1; i < x.size(); ++i)
        g += square(x[i] - 0.5) - std::cos(20 * pi * (x[i] - 0.5));
    return 100 * g;
}

std::vector<double> dtlz1(const Genes& x) {
    const double scale = 0.5 * (1 + rastrigin_distance(x));
    return {scale * x[0] * x[1], scale * x[0] * (1 - x[1]), scale * (1 - x[0])};
}

std::vector<double> on_sphere(double radius, double a, double b) {
    const double u = a * pi / 2, v = b * pi / 2;
    return {radius * std::cos(u) * std::cos(v), radius * std::cos(u) * std::sin(v),
            radius * std::sin(u)};
}

std::vector<double> dtlz2(const Genes& x) { return on_sphere(1 + sphere_distance(x), x[0], x[1]); }

std::vector<double> dtlz3(const Genes& x) {
    return on_sphere(1 + rastrigin_distance(x), x[0], x[1]);
}

std::vector<double> dtlz4(const Genes& x) {
    constexpr double bias = 100;
    return on_sphere(1 + sphere_distance(x), std::pow(x[0], bias), std::pow(x[1], bias));
}

std::vector<double> dtlz7(const Genes& x) {
    const auto tail = x.begin() + dtlz_objectives - 1;
    const double g =
        1 + 9 * std::accumulate(tail, x.end(), 0.0) / static_cast<double>(x.end() - tail);
    double h = dtlz_objectives;
    for (std::size_t m = 0; m + 1 < dtlz_objectives; ++m)
        h -= x[m] / (1 + g) * (1 + std::sin(3 * pi * x[m]));
    return {x[0], x[1], (1 + g) * h};
}

// --- Constrained: Deb, "Multi-objective optimization using evolutionary algorithms", 2001 ------

Evaluation bnh(const Genes& x) {
    return {{4 * square(x[0]) + 4 * square(x[1]), square(x[0] - 5) + square(x[1] - 5)},
            {(square(x[0] - 5) + square(x[1]) - 25) / 25,
             (7.7 - square(x[0] - 8) - square(x[1] + 3)) / 7.7}};
}

Evaluation srn(const Genes& x) {
    return {{2 + square(x[0] - 2) + square(x[1] - 1), 9 * x[0] - square(x[1] - 1)},
            {(square(x[0]) + square(x[1]) - 225) / 225, (x[0] - 3 * x[1] + 10) / 10}};
}

Evaluation tnk(const Genes& x) {
    const double angle = x[1] == 0 ? pi / 2 : std::atan(x[0] / x[1]);
    return {{x[0], x[1]},
            {1 + 0.1 * std::cos(16 * angle) - square(x[0]) - square(x[1]),
             (square(x[0] - 0.5) + square(x[1] - 0.5) - 0.5) / 0.5}};
}

Evaluation osy(const Genes& x) {
    const double f1 = -(25 * square(x[0] - 2) + square(x[1] - 2) + square(x[2] - 1) +
                        square(x[3] - 4) + square(x[4] - 1));
    const double f2 =
        std::accumulate(x.begin(), x.end(), 0.0, [](double sum, double v) { return sum + v * v; });
    return {{f1, f2},
            {-(x[0] + x[1] - 2) / 2, -(6 - x[0] - x[1]) / 6, -(2 - x[1] + x[0]) / 2,
             -(2 - x[0] + 3 * x[1]) / 2, -(4 - square(x[2] - 3) - x[3]) / 4,
             -(square(x[4] - 3) + x[5] - 4) / 4}};
}

// --- The table of problems --------------------------------------------------------------------

struct Entry {
    const char* name;
    Genes lower, upper;
    std::vector<double> reference;
    Objectives objectives;
    Constrained constrained = nullptr;  ///< instead of `objectives`
};

const std::vector<Entry> entries{
    {"zdt1", Genes(30, 0), Genes(30, 1), {1.1, 1.1}, zdt1},
    {"zdt2", Genes(30, 0), Genes(30, 1), {1.1, 1.1}, zdt2},
    {"zdt3", Genes(30, 0), Genes(30, 1), {1.1, 1.1}, zdt3},
    {"zdt4",
     {0, -5, -5, -5, -5, -5, -5, -5, -5, -5},
     {1, 5, 5, 5, 5, 5, 5, 5, 5, 5},
     {1.1, 1.1},
     zdt4},
    {"zdt6", Genes(10, 0), Genes(10, 1), {1.1, 1.1}, zdt6},
    {"dtlz1", Genes(7, 0), Genes(7, 1), {0.6, 0.6, 0.6}, dtlz1},
    {"dtlz2", Genes(12, 0), Genes(12, 1), {1.1, 1.1, 1.1}, dtlz2},
    {"dtlz3", Genes(12, 0), Genes(12, 1), {1.1, 1.1, 1.1}, dtlz3},
    {"dtlz4", Genes(12, 0), Genes(12, 1), {1.1, 1.1, 1.1}, dtlz4},
    {"dtlz7", Genes(22, 0), Genes(22, 1), {1.1, 1.1, 6.1}, dtlz7},
    {"bnh", {0, 0}, {5, 3}, {140, 50}, nullptr, bnh},
    {"srn", {-20, -20}, {20, 20}, {301, 72}, nullptr, srn},
    {"tnk", {0, 0}, {pi, pi}, {2, 2}, nullptr, tnk},
    {"osy", {0, 0, 1, 0, 1, 0}, {10, 10, 5, 6, 5, 10}, {0, 386}, nullptr, osy},
};
constexpr const char* nas_table = "nas-table";

Problem analytic_problem(const Entry& entry) {
    std::vector<std::string> names;
    for (std::size_t m = 1; m <= entry.reference.size(); ++m)
        names.push_back(fmt::format("f{}", m));
    return {entry.name, SearchSpace::box(entry.lower, entry.upper), names, entry.reference,
            [&entry](const Genome& genome, int) {
                return entry.constrained != nullptr
                           ? entry.constrained(genome.genes)
                           : Evaluation{entry.objectives(genome.genes), {}};
            }};
}

Problem make_nas_table() {
    const auto table = std::make_shared<const NasTable>();
    return {
        nas_table,
        table->space(),
        {"val_rmse", "latency_ms"},
        {0.36, 200},
        [table](const Genome& genome, int epochs) {
            const NasTable::Result result =
                table->look_up(genome, epochs > 0 ? epochs : NasTable::full_epochs);
            return Evaluation{{result.val_rmse, result.latency_ms}, {}, result.training_seconds};
        }};
}

}  // namespace

double total_violation(const Evaluation& evaluation) {
    double sum = 0;
    for (const double excess : evaluation.constraints) sum += std::max(0.0, excess);
    return sum;
}

Problem::Problem(std::string name, SearchSpace space, std::vector<std::string> objective_names,
                 std::vector<double> reference_point, Function function)
    : name_(std::move(name)),
      space_(std::move(space)),
      objective_names_(std::move(objective_names)),
      reference_point_(std::move(reference_point)),
      function_(std::move(function)) {}

Problem find_problem(const std::string& name) {
    for (const Entry& entry : entries)
        if (name == entry.name) return analytic_problem(entry);
    if (name == nas_table) return make_nas_table();
    throw ConfigError(fmt::format("there is no problem '{}'", name), {},
                      fmt::format("the problems are {}", fmt::join(known_problems(), ", ")));
}

std::vector<std::string> known_problems() {
    std::vector<std::string> names;
    for (const Entry& entry : entries) names.emplace_back(entry.name);
    names.emplace_back(nas_table);
    return names;
}

}  // namespace edgeloop
