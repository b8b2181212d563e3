#include "apps/search_config.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::apps {
namespace {

using cli::OptionParser;

constexpr const char* table_prefix = "table:";

void require(bool holds, const std::string& problem, const std::string& suggestion) {
    if (!holds) throw ConfigError(problem, {}, suggestion);
}

/// What a link needs besides its address. The files are read by the rank that uses them.
void check_edge_keys(const SearchConfig& c) {
    using Mode = EdgeOption::Mode;
    const EdgeOption edge = parse_edge_option(c.edge);
    if (edge.mode != Mode::connect && edge.mode != Mode::bind) return;
    if (c.edge_keys.empty()) {
        require(is_local_endpoint(edge.endpoint) || c.probe.allow_plain_network,
                fmt::format("--edge '{}' is a network link without keys", c.edge),
                "give --edge-keys, use an ssh tunnel to 127.0.0.1, or allow it with "
                "--edge-insecure");
        return;
    }
    require(edge.mode != Mode::connect || !c.edge_server_key.empty(),
            "--edge-server-key is missing", "name the .pub file of the bridge");
    require(edge.mode != Mode::bind || !c.probe.allow_list.empty(), "--edge-allow is missing",
            "name a folder with the .pub files of the agents");
}

/// What a table and a simulation can be asked for.
void check_problem(const SearchConfig& c) {
    const bool is_table = c.problem.rfind(table_prefix, 0) == 0;
    require(!is_table || !table_of(c).empty(), "--problem table: names no file",
            "write --problem table:FILE");
    const bool described = !c.table_spec.empty() || !c.genes.empty() || !c.measured.empty() ||
                           !c.counted.empty() || !c.fidelities.empty() || !c.epoch_seconds.empty();
    require(is_table || !described,
            "--table-spec, --genes, --measured, --counted, --fidelities and --epoch-seconds say "
            "what the columns of a table are, and there is no table",
            "add --problem table:FILE, or drop them");
    require(c.simulated_workers > 0 || c.simulated_sigma == 0,
            "--simulate-sigma needs --simulate-workers", "say how many workers there are");
    if (c.simulated_workers == 0) return;
    require(!c.problem.empty(), "--simulate-workers simulates no real training",
            "use it with --problem; --plan predicts a search that trains");
    const std::vector<std::pair<bool, const char*>> real = {
        {c.resume, "--resume"},
        {!c.reuse.empty(), "--reuse"},
        {c.time_limit > 0, "--time-limit"},
        {c.dispatch.candidate_limit_s > 0, "--candidate-limit"},
        {c.coordinator_trains, "--coordinator-trains"},
        {c.ranks_per_candidate > 1, "--ranks-per-candidate"},
        {c.large_ranks > 0, "--large-ranks"}};
    for (const auto& [given, option] : real)
        require(!given, fmt::format("--simulate-workers and {} exclude each other", option),
                "a simulated search begins at 0 virtual seconds and runs in one process: drop one "
                "of them");
}

/// What holds between settings; each for itself is in its range by now.
void check_together(const SearchConfig& c) {
    require(c.plan || !c.run_dir.empty(), "--run-dir is missing", "name a folder for the results");
    require(!c.plan || c.problem.empty(), "--plan and --problem exclude each other",
            "plan a search that trains");
    require(!c.problem.empty() || !c.training.shards.empty(), "--data is missing",
            "name the folder made by edgeloop-data shard, or use --problem");
    require(c.problem.empty() || c.training.shards.empty(),
            "--data and --problem exclude each other", "drop one of them");
    require(c.problem.empty() || c.seed_specs.empty(),
            "--seed-specs and --problem exclude each other", "drop one of them");
    require(c.large_ranks == 0 || (c.large_ranks > c.ranks_per_candidate &&
                                   c.large_ranks % c.ranks_per_candidate == 0),
            fmt::format("--large-ranks is {}", c.large_ranks),
            "use a multiple of --ranks-per-candidate, or 0");
    require(c.large_ranks == 0 || !c.plan, "--plan and --large-ranks exclude each other",
            "plan with groups of one size");
    require(c.training.device != Device::cuda || c.training.kernels != Kernels::fused,
            "the fused kernels are for CPUs",
            "use --kernels auto, library or plain with --device cuda");
    require(!c.coordinator_trains || c.ranks_per_candidate == 1,
            "--coordinator-trains needs --ranks-per-candidate 1", "drop one of them");
    require(c.epochs == 0 || c.engine.ladder.epochs.empty(),
            "--epochs and --rungs exclude each other", "the last of --rungs is the full budget");
    for (const auto& each : c.classes) {
        const MeasurementSettings& measured = each.second.settings;
        require(!needs_cuda(measured.runtime) || measured.processor == "cuda",
                fmt::format("--measure-runtime {} runs on GPUs only", measured.runtime),
                "add --measure-processor cuda");
    }
    const std::size_t confirm = c.problem.empty() ? c.engine.confirm : 0;
    require(confirm != 1, "--confirm is 1: one further training has no standard deviation",
            "give at least 2, or 0 to take every result as it is");
    require(confirm <= c.engine.evaluations,
            fmt::format("--confirm {} is more than --evaluations {}, which is also how many "
                        "trainings may confirm results",
                        confirm, c.engine.evaluations),
            "give more --evaluations, or --confirm 0");
    require(c.engine.surrogate.children == 1 || c.engine.kind == EngineKind::generational ||
                c.engine.kind == EngineKind::steady_state,
            "--model-children is for --engine generational and steady-state",
            "drop it: --engine model-based has a model of its own");
    check_problem(c);
    check_edge_keys(c);
}

/// The limits of the search: a budget, a number of designs, or both.
void settle_extent(SearchConfig& c) {
    c.engine.budget = parse_budget(c.budget);
    const double cores = double(c.training.threads) * c.ranks_per_candidate;
    c.engine.budget.cores = [cores](const Candidate&) { return cores; };
    if (c.evaluations > 0)
        c.engine.evaluations = c.evaluations;
    else if (c.engine.budget.limits())
        c.engine.evaluations = no_limit;
    require(c.problem.empty() || !table_of(c).empty() ||
                c.engine.budget.unit != Budget::Unit::epochs || !c.engine.ladder.epochs.empty(),
            "an analytic problem trains no epochs", "give --rungs, or --evaluations instead");
}

bool wants_samples(const Goals& goals, const std::string& device_class) {
    const std::vector<std::string> names = goals.wanted();
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        const Metric* metric = find_metric(name);
        return metric != nullptr && metric->needs == Needs::samples &&
               split_metric(name).device_class == device_class;
    });
}

/// Who measures what, and how.
void settle_classes(SearchConfig& c) {
    c.classes = measuring_classes(c);
    for (auto& [name, each] : c.classes)
        if (wants_samples(c.engine.goals, name)) each.settings.min_samples = p99_samples;
}

SearchConfig read_old(const std::string& path, SearchConfig config) {
    OptionParser parser("edgeloop-search", "");
    add_search_settings(parser, config);
    parser.read_old(path);
    return config;
}

/// Calls `visit` with a function from a configuration to each setting whose default has changed
/// since version 0.1.
template <class Visit>
void visit_changed_defaults(const Visit& visit) {
    visit(
        "engine", [](auto& c) -> auto& { return c.engine.kind; });
    visit(
        "margin", [](auto& c) -> auto& { return c.training.margin; });
    visit(
        "short-lines", [](auto& c) -> auto& { return c.training.short_lines; });
    visit(
        "augment", [](auto& c) -> auto& { return c.training.augment; });
    visit(
        "confirm", [](auto& c) -> auto& { return c.engine.confirm; });
    visit(
        "normalise", [](auto& c) -> auto& { return c.normalise_by_data; });
}

/// A run goes on with what was the default when it was begun, unless the command line says
/// otherwise.
void keep_older_defaults(SearchConfig& config, int argc, const char* const* argv) {
    const std::string now = config.run_dir + "/config.ini";
    const std::string first = config.run_dir + "/config-1.ini";  // once it was resumed
    if (!config.resume || !std::filesystem::exists(now)) return;
    SearchConfig begun = read_old_config(std::filesystem::exists(first) ? first : now);
    config.begun_unconfirmed =
        begun.engine.confirm !=
        read_old(std::filesystem::exists(first) ? first : now, SearchConfig()).engine.confirm;
    // What the command line says comes out equal whatever the defaults are.
    SearchConfig other = older_defaults();
    OptionParser again("edgeloop-search", "");
    add_search_settings(again, other);
    (void)again.parse(argc, argv, 1, false);
    SearchConfig defaults;
    std::set<std::string> kept;
    visit_changed_defaults([&](const char* name, const auto& member) {
        if (member(config) == member(other)) return;
        member(config) = member(begun);
        if (member(begun) != member(defaults)) kept.insert(name);
    });
    for (const cli::Setting& setting : search_settings(config))
        if (kept.count(setting.name) > 0)
            config.kept_defaults +=
                fmt::format(" --{}={}", setting.name, fmt::join(setting.values, " "));
}

}  // namespace

bool parse_search_config(int argc, const char* const* argv, SearchConfig& config, bool speaks) {
    OptionParser parser(
        "edgeloop-search",
        "searches for networks that are accurate and fast on an edge device (NSGA-II). "
        "Runs alone or under mpirun: rank 0 leads, the others train.");
    add_search_settings(parser, config);
    if (!parser.parse(argc, argv, 1, speaks)) return false;
    keep_older_defaults(config, argc, argv);
    settle_extent(config);
    for (const std::string& text : config.constraints)
        config.engine.goals.constraints.push_back(parse_constraint(text));
    settle_classes(config);
    check_together(config);
    config.text = parser.config_text();
    return true;
}

std::string table_of(const SearchConfig& config) {
    return config.problem.rfind(table_prefix, 0) == 0
               ? config.problem.substr(std::string(table_prefix).size())
               : std::string();
}

std::vector<cli::Setting> search_settings(SearchConfig config) {
    OptionParser parser("edgeloop-search", "");
    add_search_settings(parser, config);
    return parser.settings();
}

SearchConfig older_defaults() {
    SearchConfig config;
    config.engine.kind = EngineKind::generational;
    config.engine.confirm = 0;
    config.training.margin = 0;
    config.training.short_lines = ShortLines::pad;
    config.training.augment = false;
    config.normalise_by_data = false;
    return config;
}

SearchConfig read_old_config(const std::string& path) { return read_old(path, older_defaults()); }

}  // namespace edgeloop::apps
