#include "edgeloop/evaluation/metrics.hpp"

#include "edgeloop/core/range.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// What no device measures and no sum of squares survives.
constexpr double most = 1e12;
constexpr double infinite = std::numeric_limits<double>::infinity();

constexpr MetricRange any{};
constexpr MetricRange positive{0, most, true};
constexpr MetricRange not_negative{0, most};
constexpr MetricRange magnitude{0, infinite};  // who takes it looks whether it is finite
constexpr MetricRange fraction{0, 1};
constexpr MetricRange truth{0, 1, false, true};
constexpr MetricRange number{0, most, false, true};
constexpr MetricRange change{-1, most};  // relative
constexpr MetricRange r2{-infinite, 1};

constexpr auto less = Meaning::smaller_is_better, more = Meaning::larger_is_better;
constexpr auto note = Meaning::note, validity = Meaning::validity;
constexpr auto trained = Source::training, designed = Source::design, measured = Source::measuring;
constexpr auto device = Needs::device, circuit = Needs::circuit;
constexpr auto circumstance = Needs::circumstance;

constexpr Metric table[] = {
    {"val_rmse", "", less, trained, magnitude},
    {"val_rmse_*", "", less, trained, magnitude},
    {"baseline_ratio", "", less, trained, magnitude},
    {"train_loss", "", less, trained, any},
    {"r2_*", "", more, trained, r2},
    {"best_epoch", "", note, trained, number},
    {"train_epochs", "", note, trained, number},
    {"peak_training_mib", "MiB", less, trained, not_negative},
    {"final_parameters", "", note, trained, number, circumstance},
    {"shrink_change", "", note, trained, change, circumstance},

    {"parameters", "", less, designed, number, Needs::nothing, "", false, true},
    {"flops", "FLOP", less, designed, magnitude},
    {"model_kib", "KiB", less, designed, magnitude},
    {"bit_operations", "", less, designed, magnitude},
    {"training_memory_mib", "MiB", less, designed, magnitude},
    {"baseline_rmse", "", note, designed, magnitude},

    {"latency_ms", "ms", less, measured, positive, Needs::nothing, "fastest"},
    // The end of an interval may lie below 0 where a few runs differ much.
    {"latency_low_ms", "ms", note, measured, any, device},
    {"latency_high_ms", "ms", note, measured, positive, device},
    {"latency_p90_ms", "ms", less, measured, positive, device, "", true},
    {"latency_p99_ms", "ms", less, measured, positive, Needs::samples, "", true},
    {"latency_max_ms", "ms", less, measured, positive, device, "", true},
    {"latency_min_ms", "ms", note, measured, positive, device},
    {"latency_iqr_ms", "ms", note, measured, not_negative, device},
    {"latency_samples", "", note, measured, number, device},
    {"latency_valid", "", validity, measured, truth, device},
    {"preprocess_ms", "ms", less, measured, positive, device},
    {"pipeline_ms", "ms", less, measured, positive, device},
    {"peak_memory_mib", "MiB", less, measured, not_negative, device},
    {"base_memory_mib", "MiB", note, measured, not_negative, device},
    {"build_ms", "ms", note, measured, not_negative, device},
    {"model_size_mib", "MiB", note, measured, not_negative, device},
    {"energy_mj", "mJ", less, measured, positive, Needs::meter},
    {"latency_us", "us", less, measured, positive, circuit},
    {"cycles", "", less, measured, number, circuit},
    {"initiation_interval", "", less, measured, number, circuit},
    {"lut", "", less, measured, number, circuit},
    {"ff", "", less, measured, number, circuit},
    {"bram", "", less, measured, number, circuit},
    {"dsp", "", less, measured, number, circuit},
    {"clock_mhz", "MHz", note, measured, positive, circuit},
    {"latency_disturbed", "", note, measured, fraction, circumstance},
    {"latency_is_modelled", "", note, measured, truth, circumstance},
    {"latency_is_simulated", "", note, measured, truth, circumstance},
    {"clock_is_assumed", "", note, measured, truth, circumstance},
    {"resources_are_estimated", "", note, measured, truth, circumstance},
    {"reference_drift", "", note, measured, change, circumstance},

    {"latency_b#_ms", "ms", note, measured, positive, circumstance},
    {"latency_b#_low_ms", "ms", note, measured, any, circumstance},
    {"latency_b#_high_ms", "ms", note, measured, positive, circumstance},
    {"latency_b#_p90_ms", "ms", note, measured, positive, circumstance},
    {"latency_b#_p99_ms", "ms", note, measured, positive, circumstance},
    {"latency_b#_max_ms", "ms", note, measured, positive, circumstance},
    {"latency_b#_min_ms", "ms", note, measured, positive, circumstance},
    {"latency_b#_iqr_ms", "ms", note, measured, not_negative, circumstance},
    {"latency_b#_samples", "", note, measured, number, circumstance},
    {"latency_b#_valid", "", validity, measured, truth, circumstance},
    {"latency_b#_disturbed", "", note, measured, fraction, circumstance},

    // As names are read, in runs of other programs too; no part of this one delivers such a word.
    {"*_valid", "", validity, measured, truth, circumstance},
    {"*_seconds", "s", Meaning::cost, trained, magnitude},
};

constexpr std::size_t max_shown = 64;  ///< of a name that a part made up, in bytes

bool is_batch_size(std::string_view text) {
    constexpr std::size_t max_digits = 4;
    return !text.empty() && text.size() <= max_digits && text != "1" && text[0] != '0' &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The mark of a pattern that has one; npos: a name.
constexpr std::size_t mark_in(std::string_view pattern) { return pattern.find_first_of("*#"); }

/// What a name has in the place of the mark of a pattern; nothing: it is not of that family.
std::optional<std::string_view> member_in(std::string_view pattern, std::string_view name) {
    const std::size_t mark = mark_in(pattern);
    const std::string_view begin = pattern.substr(0, mark), end = pattern.substr(mark + 1);
    if (name.size() <= begin.size() + end.size() || name.substr(0, mark) != begin ||
        name.substr(name.size() - end.size()) != end)
        return std::nullopt;
    const std::string_view member = name.substr(mark, name.size() - begin.size() - end.size());
    if (pattern[mark] == '#' && !is_batch_size(member)) return std::nullopt;
    return member;
}

bool is_named(const Metric& metric, std::string_view name) {
    return mark_in(metric.name) == std::string_view::npos
               ? metric.name == name
               : member_in(metric.name, name).has_value();
}

/// The entry of a name without a class.
const Metric* find_plain(std::string_view name) {
    const auto found = std::find_if(std::begin(table), std::end(table),
                                    [&](const Metric& metric) { return is_named(metric, name); });
    return found == std::end(table) ? nullptr : found;
}

/// Whether a part may deliver a metric of this name. A device knows of no other class than its own.
bool may_deliver(Source part, const Metric* metric, std::string_view name,
                 const std::vector<std::string>* members) {
    if (metric == nullptr) return false;
    if (metric->source != part && !(metric->repeated && part == Source::measuring)) return false;
    const std::size_t mark = mark_in(metric->name);
    if (mark == std::string_view::npos) return true;
    if (members == nullptr) return metric->name[mark] == '#';
    return std::find(members->begin(), members->end(), *member_in(metric->name, name)) !=
           members->end();
}

}  // namespace

bool MetricRange::has(double value) const {
    if (std::isinf(low) && std::isinf(high)) return true;  // also what is no number
    Range range = between(low, high);
    range.above = above;
    return range.has(value) && (!whole || std::trunc(value) == value);
}

std::string MetricRange::text() const {
    if (whole && high == 1) return "0 or 1";
    Range range = between(low, high);
    range.above = above;
    return (whole ? "a whole number, " : "") + range.text();
}

const Metric* find_metric(std::string_view name) {
    const NamedMetric named = split_metric(name);
    if (named.device_class.empty()) return find_plain(name);
    const Metric* const metric = find_plain(named.metric);
    return metric != nullptr && metric->source == Source::measuring ? metric : nullptr;
}

NamedMetric split_metric(std::string_view name) {
    const auto at = name.find('@');
    if (at == std::string_view::npos) return {name};
    return {name.substr(0, at), name.substr(at + 1)};
}

std::string metric_of_class(const std::string& metric, const std::string& device_class) {
    const Metric* const entry = find_plain(metric);
    const bool measured = entry == nullptr || entry->source == Source::measuring;
    return device_class.empty() || !measured ? metric : metric + '@' + device_class;
}

bool is_class_name(std::string_view text) {
    const auto is_word = [](unsigned char c) { return std::isalnum(c) != 0; };
    return !text.empty() && is_word(static_cast<unsigned char>(text.front())) &&
           std::all_of(text.begin(), text.end(), [&](unsigned char c) {
               return is_word(c) || std::string_view("._+-/").find(static_cast<char>(c)) !=
                                        std::string_view::npos;
           });
}

std::vector<std::string> metric_names(Source source, Needs means, std::optional<Meaning> meaning,
                                      const std::vector<std::string>& members) {
    std::vector<std::string> names;
    for (const Metric& metric : table) {
        if (metric.source != source || metric.needs > means) continue;
        if (meaning && metric.meaning != *meaning) continue;
        const std::string name(metric.name);
        const std::size_t mark = mark_in(name);
        if (mark == std::string::npos)
            names.push_back(name);
        else
            for (const std::string& member : members)
                names.push_back(name.substr(0, mark) + member + name.substr(mark + 1));
    }
    return names;
}

std::optional<std::string> refusal(const Metrics& metrics, Source by,
                                   const std::vector<std::string>* members) {
    for (const auto& [name, value] : metrics) {
        const Metric* const metric = find_plain(name);
        if (!may_deliver(by, metric, name, members))
            return fmt::format("'{}' ({}) is not what {}", printable(beginning(name, max_shown)),
                               value,
                               by == Source::measuring  ? "a device measures"
                               : by == Source::training ? "a training gives"
                                                        : "a design tells");
        if (!metric->values.has(value))
            return fmt::format("{} is {}, and has to be {}", name, value, metric->values.text());
    }
    return std::nullopt;
}

bool has_meaning(std::string_view name, Meaning meaning) {
    const Metric* metric = find_metric(name);
    return metric != nullptr && metric->meaning == meaning;
}

}  // namespace edgeloop
