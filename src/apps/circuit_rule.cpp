#include "apps/circuit_rule.hpp"

#include "edgeloop/accelerator/cost.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::apps {
namespace {

using accelerator::Circuit;
using accelerator::Resources;

/// What such a class will answer, as far as no tool has to find it out.
Metrics foreseen(const Circuit& circuit, const Resources& needs, const MeasurementSettings& asked,
                 const std::string& device_class) {
    const accelerator::Timing timing = timing_of(circuit);
    const auto number = [](std::int64_t value) { return static_cast<double>(value); };
    const double cycles = number(std::max<std::int64_t>(timing.latency, 1));
    Metrics plain{{"cycles", cycles}, {"initiation_interval", number(timing.interval)}};
    if (asked.clock == "assumed") plain["latency_us"] = cycles / circuit.part.clock_mhz;
    if (asked.resources == "estimated")
        for (const auto& [name, count] : {std::pair("lut", needs.lut),
                                          {"ff", needs.ff},
                                          {"bram", needs.ram},
                                          {"dsp", needs.dsp}})
            plain[name] = number(count);
    Metrics named;
    for (const auto& [name, value] : plain) named[metric_of_class(name, device_class)] = value;
    return named;
}

/// What one class has against designs.
class ClassRule {
  public:
    ClassRule(std::string name, const MeasuringClass& of, Goals goals)
        : name_(std::move(name)),
          settings_(of.settings),
          part_(accelerator::part_named(of.settings.part)),
          goals_(std::move(goals)) {
        // The rest is kept for place and route, and an estimate is not a count.
        if (settings_.resources != "estimated") part_.usable = part_.has;
    }

    [[nodiscard]] std::optional<std::string> operator()(const ArchitectureSpec& spec) const {
        try {
            const Circuit circuit = untrained_circuit_of(spec, part_);
            const Resources needs = estimated_resources(circuit);
            if (const std::string too_much = excess(needs, part_); !too_much.empty())
                return about(fmt::format("the design does not fit {}: {} (estimated)", part_.title,
                                         too_much));
            return goals_.broken(foreseen(circuit, needs, settings_, name_));
        } catch (const ConfigError& error) {
            return about(error.what());
        }
    }

  private:
    [[nodiscard]] std::string about(const std::string& why) const {
        return name_.empty() ? why : fmt::format("{}: {}", name_, why);
    }

    std::string name_;
    MeasurementSettings settings_;
    accelerator::Part part_;
    Goals goals_;
};

}  // namespace

CircuitRule circuit_rule(const MeasuringClasses& classes, const Goals& goals) {
    std::vector<ClassRule> rules;
    for (const auto& [name, each] : classes)
        if (is_simulated(each.settings.runtime)) rules.emplace_back(name, each, goals);
    if (rules.empty()) return {};
    using Known = std::map<Digest, std::optional<std::string>>;
    return [rules = std::move(rules), known = std::make_shared<Known>()](
               const Candidate& candidate) -> std::optional<std::string> {
        if (!candidate.design) return std::nullopt;
        const ArchitectureSpec& spec = candidate.design->spec();
        // Designs that differ in their training alone are one circuit.
        const Digest network = digest(make_job(spec.to_json(), {}, {}).spec);
        if (const auto found = known->find(network); found != known->end()) return found->second;
        std::optional<std::string>& why = (*known)[network];
        for (const ClassRule& rule : rules)
            if (!why) why = rule(spec);
        return why;
    };
}

void require_circuits(const SearchSpace& space, const CircuitRule& rule,
                      const std::vector<Genome>& given) {
    if (!rule) return;
    constexpr std::size_t samples = 1000, circuits = 200;
    RandomStream random(0, "any circuit");
    std::optional<std::string> why;
    std::size_t looked = 0;
    for (std::size_t i = 0; i < given.size() + samples && looked < circuits; ++i) {
        Candidate candidate;
        candidate.genome = i < given.size() ? given[i] : space.sample(random);
        candidate.design = space.try_decode(candidate.genome).design;
        if (!candidate.design) continue;
        ++looked;
        why = rule(candidate);
        if (!why) return;
    }
    if (why)
        throw ConfigError(
            fmt::format("none of {} designs of the space '{}' can be simulated hardware", looked,
                        space.name()),
            "for instance: " + *why,
            "take a larger part, change the space, or give a design that can: --seed-specs");
}

}  // namespace edgeloop::apps
