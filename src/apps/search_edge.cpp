#include "apps/search_edge.hpp"

#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/link/measuring_turns.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

// Host and run directory; of a long one only the end, where runs differ, and a digest of it all.
std::string search_name(const std::string& run_dir) {
    constexpr std::size_t longest = 200;  // of the 256 that a name may have on the link
    std::string name = fmt::format("{}:{}", host_name(), run_dir);
    if (name.size() <= longest) return name;
    const std::string mark = digest(name).hex() + "...";
    return mark + std::string(ending(name, longest - mark.size()));
}

/// What all classes have in common.
RemoteProbeOptions probe_options(const SearchConfig& config, const LocalAgent* agent) {
    RemoteProbeOptions options = config.probe;
    options.edge = parse_edge_option(config.edge);
    options.name = search_name(config.run_dir);
    options.is_one_of_several = !local_classes(config).empty();
    if (agent != nullptr) options.edge.endpoint = agent->endpoint();
    if (agent != nullptr || config.edge_keys.empty()) {
        options.allow_list.clear();
        return options;
    }
    options.keys = read_keys(config.edge_keys);
    if (!config.edge_server_key.empty())
        options.server_key = read_public_key(config.edge_server_key);
    return options;
}

// The modelled latency of `--edge model`: repeatable to the bit, and marked in every record.
class ModelledProbe : public LatencyProbe {
  public:
    void submit(const Candidate& candidate) override {
        const double latency_ms = analytic_latency_ms(candidate.design->spec(), {});
        done_.push_back({candidate.id,
                         Status::completed,
                         {{"latency_ms", latency_ms}, {"latency_is_modelled", 1}}});
    }
    void cancel(CandidateId) override {}
    [[nodiscard]] std::vector<Outcome> poll() override { return std::exchange(done_, {}); }
    [[nodiscard]] bool computes() const override { return true; }
    [[nodiscard]] LinkState link() const override { return {"modelled", true, 0}; }

  private:
    std::vector<Outcome> done_;
};

// A rank that pauses still says that it lives.
bool asked_while_paused(const CancelToken& token) {
    token.at("paused for a measurement");
    return token.requested();
}

// Lets measurements pass wherever the training says where it is.
class PausingToken : public CancelToken {
  public:
    PausingToken(const CancelToken& inner, TrainingTurn& turn) : inner_(inner), turn_(turn) {}

    [[nodiscard]] bool requested() const override { return inner_.requested(); }
    [[nodiscard]] bool will_resume() const override { return inner_.will_resume(); }
    void at(const std::string& place) const override {
        inner_.at(place);
        turn_.yield([this] { return asked_while_paused(inner_); });
    }

  private:
    const CancelToken& inner_;
    TrainingTurn& turn_;
};

/// Whether the trainings of this machine have to pause for `--edge local` to measure with cores of
/// its own: they do when they leave it none.
///
/// @param bindings  of all ranks; rank 0 runs where the agent does.
bool trainings_leave_no_core(const std::vector<RankBinding>& bindings, const SearchConfig& config) {
    std::set<int> cpus;
    std::size_t training_ranks = 0;
    for (std::size_t rank = 0; rank < bindings.size(); ++rank) {
        if (bindings[rank].host != bindings[0].host) continue;
        cpus.insert(bindings[rank].cpus.begin(), bindings[rank].cpus.end());
        const bool trains = rank > 0 || bindings.size() == 1 || config.coordinator_trains;
        training_ranks += trains ? 1 : 0;
    }
    const std::size_t busy = training_ranks * static_cast<std::size_t>(config.training.threads);
    int threads = 0;  // classes take turns
    for (const auto& each : config.classes)
        threads = std::max(threads, each.second.settings.threads);
    return cpus.size() < busy + static_cast<std::size_t>(threads);
}

}  // namespace

Probes in_use(const OwnProbes& probes) {
    Probes all;
    for (const auto& [name, probe] : probes) all[name] = probe.get();
    return all;
}

OwnProbes make_probes(const SearchConfig& config, const LocalAgent* agent,
                      const ClassMetrics& measured) {
    OwnProbes probes;
    if (config.edge == "model") {
        probes[""] = std::make_unique<ModelledProbe>();
        return probes;
    }
    RemoteProbeOptions options = probe_options(config, agent);
    const RemoteProbe* first = nullptr;
    for (const auto& [name, each] : config.classes) {
        options.device_class = each.device_class;
        options.settings = each.settings;
        const auto asked = measured.find(name);
        options.metrics = asked == measured.end() ? std::vector<std::string>() : asked->second;
        auto probe = std::make_unique<RemoteProbe>(options, first);
        if (first == nullptr) first = probe.get();
        probes[name] = std::move(probe);
    }
    if (config.edge.rfind("bind:", 0) == 0)
        log::info("agents may dial in to {}", first->endpoint());
    return probes;
}

std::vector<std::string> local_classes(const SearchConfig& config) {
    std::vector<std::string> names = names_of(config.classes);
    names.erase(std::remove(names.begin(), names.end(), ""), names.end());
    return names;
}

void check_tails(const SearchConfig& config, const ClassMetrics& measured,
                 const std::vector<RankBinding>& bindings) {
    if (config.edge != "local" || !trainings_leave_no_core(bindings, config)) return;
    for (const auto& [device_class, names] : measured)
        for (const std::string& name : names) {
            const Metric* metric = find_metric(name);
            if (metric == nullptr || !metric->of_tail) continue;
            throw ConfigError(
                fmt::format("--edge local cannot measure {} here",
                            metric_of_class(name, device_class)),
                "the trainings leave it no core of its own, and every interruption shows in the "
                "tail",
                "use fewer ranks or --threads, a device of its own (--edge bind:..., tcp://...), "
                "or latency_ms");
        }
}

std::string turns_file(const SearchConfig& config, const LocalAgent* agent,
                       const Communicator& world, const std::vector<RankBinding>& bindings) {
    const bool pause =
        config.pause_training == "always" ||
        (config.pause_training == "auto" && trainings_leave_no_core(bindings, config));
    std::string path = agent != nullptr && pause ? agent->turns_file() : std::string();
    world.broadcast(path, 0);
    if (world.rank() == 0 && !path.empty())
        log::info("trainings of this machine pause while --edge local measures");
    const bool here = bindings[static_cast<std::size_t>(world.rank())].host == bindings[0].host;
    return here ? path : std::string();
}

WorkerFunction with_pauses(WorkerFunction work, const std::string& turns_file) {
    if (turns_file.empty()) return work;
    const auto turns = std::make_shared<const MeasuringTurns>(turns_file);
    return [work = std::move(work), turns](const Candidate& candidate, const Communicator& group,
                                           const CancelToken& token) {
        // The others of its group wait for the leader: holding the file too they would wait for
        // each other.
        if (group.rank() != 0) return work(candidate, group, token);
        TrainingTurn turn(*turns, [&token] { return asked_while_paused(token); });
        const double before = turn.waited_s();
        Outcome outcome = work(candidate, group, PausingToken(token, turn));
        outcome.seconds = std::max(0.0, outcome.seconds - (turn.waited_s() - before));
        return outcome;
    };
}

std::function<double()> pause_clock(const std::string& turns_file) {
    if (turns_file.empty()) return {};
    struct State {
        explicit State(const std::string& path) : turns(path) {}
        MeasuringTurns turns;
        std::mutex mutex;
        bool paused = false;
        double looked = steady_seconds(), total = 0;
    };
    return [state = std::make_shared<State>(turns_file)] {
        const std::lock_guard lock(state->mutex);
        const double now = steady_seconds();
        if (state->paused) state->total += now - state->looked;
        state->looked = now;
        state->paused = state->turns.measurement_wants_it();
        return state->total;
    };
}

}  // namespace edgeloop::apps
