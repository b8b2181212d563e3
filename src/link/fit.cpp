#include "link/fit.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// What a device repeats and does not measure: which network it built.
constexpr const char* repeated_metric = "parameters";

/// What batch sizes a job asks for, as names of metrics have them; nothing for settings of another
/// release.
std::optional<std::vector<std::string>> batches_of(const MeasurementJob& job) {
    try {
        return batch_members(settings_of(job));
    } catch (const ConfigError&) {
        return std::nullopt;
    }
}

/// Parameters of a job's network; nothing for a network of another release.
std::optional<double> parameters_of(const MeasurementJob& job) {
    try {
        return static_cast<double>(
            count(ArchitectureSpec::from_json(parse_json(job.spec, "spec"), "spec")).parameters);
    } catch (const ConfigError&) {
        return std::nullopt;
    }
}

bool is_duration(double seconds) {
    constexpr double longest = 1e9;  // no job lasts 30 years
    return seconds >= 0 && seconds <= longest;
}

bool is_of_a_batch(const Metrics::value_type& metric) {
    const Metric* const entry = find_metric(metric.first);
    return entry != nullptr && entry->name.find('#') != std::string_view::npos;
}

/// The job is parsed only for a result that says something to compare with it.
std::optional<std::string> why_impossible(const MeasurementResult& result,
                                          const MeasurementJob* job) {
    const Metrics& metrics = result.metrics;
    if (!is_duration(result.seconds)) return fmt::format("it took {} s", result.seconds);
    if (auto why = refusal(metrics, Source::measuring, nullptr)) return why;
    if (job == nullptr) return std::nullopt;
    if (std::any_of(metrics.begin(), metrics.end(), is_of_a_batch))
        if (const auto batches = batches_of(*job))
            if (auto why = refusal(metrics, Source::measuring, &*batches)) return why;
    const auto said = metrics.find(repeated_metric);
    const auto known = said != metrics.end() ? parameters_of(*job) : std::nullopt;
    if (!known || *known == said->second) return std::nullopt;
    return fmt::format("{} is {}, and the network has {}: it measured another one", said->first,
                       said->second, *known);
}

}  // namespace

void fit_to_limits(MeasurementResult& result) {
    result.reason = beginning(printable(result.reason), wire::max_text_bytes);
    for (auto metric = result.metrics.begin(); metric != result.metrics.end();)
        metric = std::isfinite(metric->second) ? std::next(metric) : result.metrics.erase(metric);
    while (result.metrics.size() > wire::max_metrics)
        result.metrics.erase(std::prev(result.metrics.end()));
    if (result.record.size() > wire::max_document_bytes || !is_utf8(result.record))
        result.record = "{}";
    if (!std::isfinite(result.seconds)) result.seconds = 0;
}

bool refuse_impossible(MeasurementResult& result, const MeasurementJob* job,
                       const std::string& device) {
    std::optional<std::string> why;
    if (result.status == Status::completed) why = why_impossible(result, job);
    if (result.status == Status::completed && !why) return false;
    result.metrics.clear();
    if (!is_duration(result.seconds)) result.seconds = 0;
    if (!why) return false;
    result.status = Status::failed;
    result.failure_of = FailureOf::device;
    result.reason = fmt::format("the result of device '{}' is refused: {}", device, *why);
    return true;
}

std::string sound_record(const std::string& text) {
    try {
        const Json record = parse_json(text, "device record");
        if (!record.is_object()) return "{}";
        std::string kept = with_printable_texts(record).dump();
        if (kept.size() <= wire::max_document_bytes) return kept;
        log::warning("a device record has {} bytes and is not kept", kept.size());
    } catch (const ConfigError& error) {
        log::warning("{}", error.what());
    }
    return "{}";
}

}  // namespace edgeloop
