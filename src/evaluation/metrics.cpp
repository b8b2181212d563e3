#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <iterator>

namespace edgeloop {
namespace {

constexpr Metric table[] = {
    {"val_rmse", "", Meaning::smaller_is_better, Source::training},
    {"val_rmse_*", "", Meaning::smaller_is_better, Source::training},
    {"baseline_ratio", "", Meaning::smaller_is_better, Source::training},
    {"train_loss", "", Meaning::smaller_is_better, Source::training},
    {"r2_*", "", Meaning::larger_is_better, Source::training},
    {"best_epoch", "", Meaning::note, Source::training},

    {"parameters", "", Meaning::smaller_is_better, Source::design},
    {"flops", "FLOP", Meaning::smaller_is_better, Source::design},
    {"baseline_rmse", "", Meaning::note, Source::design},

    {"latency_ms", "ms", Meaning::smaller_is_better, Source::measuring, Needs::nothing, "fastest"},
    {"latency_low_ms", "ms", Meaning::note, Source::measuring, Needs::device},
    {"latency_high_ms", "ms", Meaning::note, Source::measuring, Needs::device},
    {"latency_p90_ms", "ms", Meaning::smaller_is_better, Source::measuring, Needs::device, "",
     true},
    {"latency_p99_ms", "ms", Meaning::smaller_is_better, Source::measuring, Needs::samples, "",
     true},
    {"latency_max_ms", "ms", Meaning::smaller_is_better, Source::measuring, Needs::device, "",
     true},
    {"latency_min_ms", "ms", Meaning::note, Source::measuring, Needs::device},
    {"latency_iqr_ms", "ms", Meaning::note, Source::measuring, Needs::device},
    {"latency_samples", "", Meaning::note, Source::measuring, Needs::device},
    {"latency_valid", "", Meaning::validity, Source::measuring, Needs::device},
    {"preprocess_ms", "ms", Meaning::smaller_is_better, Source::measuring, Needs::device},
    {"pipeline_ms", "ms", Meaning::smaller_is_better, Source::measuring, Needs::device},
    {"peak_memory_mib", "MiB", Meaning::smaller_is_better, Source::measuring, Needs::device},
    {"base_memory_mib", "MiB", Meaning::note, Source::measuring, Needs::device},
    {"build_ms", "ms", Meaning::note, Source::measuring, Needs::device},
    {"model_size_mib", "MiB", Meaning::note, Source::measuring, Needs::device},
    {"energy_mj", "mJ", Meaning::smaller_is_better, Source::measuring, Needs::meter},
    {"latency_disturbed", "", Meaning::note, Source::measuring, Needs::circumstance},
    {"latency_is_modelled", "", Meaning::note, Source::measuring, Needs::circumstance},
    {"reference_drift", "", Meaning::note, Source::measuring, Needs::circumstance},

    {"*_valid", "", Meaning::validity, Source::measuring, Needs::circumstance},
    {"latency_b*", "", Meaning::note, Source::measuring, Needs::circumstance},
    {"*_seconds", "s", Meaning::cost, Source::training},
};

bool matches(std::string_view pattern, std::string_view name) {
    const std::size_t star = pattern.find('*');
    if (star == std::string_view::npos) return pattern == name;
    const std::string_view begin = pattern.substr(0, star), end = pattern.substr(star + 1);
    return name.size() > begin.size() + end.size() && name.substr(0, star) == begin &&
           name.substr(name.size() - end.size()) == end;
}

}  // namespace

const Metric* find_metric(std::string_view name) {
    const auto found = std::find_if(std::begin(table), std::end(table), [&](const Metric& metric) {
        return matches(metric.name, name);
    });
    return found == std::end(table) ? nullptr : found;
}

std::vector<std::string> metric_names(Source source, Needs means, std::optional<Meaning> meaning,
                                      const std::vector<std::string>& members) {
    std::vector<std::string> names;
    for (const Metric& metric : table) {
        if (metric.source != source || metric.needs > means) continue;
        if (meaning && metric.meaning != *meaning) continue;
        const std::string name(metric.name);
        const std::size_t star = name.find('*');
        if (star == std::string::npos)
            names.push_back(name);
        else
            for (const std::string& member : members)
                names.push_back(name.substr(0, star) + member + name.substr(star + 1));
    }
    return names;
}

bool has_meaning(std::string_view name, Meaning meaning) {
    const Metric* metric = find_metric(name);
    return metric != nullptr && metric->meaning == meaning;
}

}  // namespace edgeloop
