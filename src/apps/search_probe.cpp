#include "apps/search_probe.hpp"

#include "edgeloop/architecture/latency_model.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/machine.hpp"

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
    return mark + name.substr(name.size() - (longest - mark.size()));
}

RemoteProbeOptions probe_options(const SearchConfig& config, const LocalAgent* agent,
                                 const std::vector<std::string>& measured) {
    RemoteProbeOptions options = config.probe;
    options.edge = parse_edge_option(config.edge);
    options.name = search_name(config.run_dir);
    options.metrics = measured;
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
    [[nodiscard]] LinkState link() const override { return {"modelled", true, 0}; }

  private:
    std::vector<Outcome> done_;
};

}  // namespace

std::unique_ptr<LatencyProbe> make_probe(const SearchConfig& config, const LocalAgent* agent,
                                         const std::vector<std::string>& measured) {
    if (config.edge == "model") return std::make_unique<ModelledProbe>();
    auto probe = std::make_unique<RemoteProbe>(probe_options(config, agent, measured));
    if (config.edge.rfind("bind:", 0) == 0)
        log::info("agents may dial in to {}", probe->endpoint());
    return probe;
}

}  // namespace edgeloop::apps
