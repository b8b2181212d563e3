#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// What a value says about a design.
enum class Meaning {
    smaller_is_better,  ///< may be an objective, and have a limit
    larger_is_better,
    validity,  ///< 1 or 0: whether the measurement can be believed
    cost,      ///< of finding out; differs between equal runs
    note,      ///< about how the others came about
};

/// Which part of an evaluation delivers a metric.
enum class Source { design, training, measuring };

/// What delivering it takes, each more than the one before.
enum class Needs {
    nothing,       ///< a model of a device will do
    device,        ///< any real device
    samples,       ///< as many timed runs as p99_samples
    circuit,       ///< simulated hardware in the place of a device
    meter,         ///< a device that has a meter for it; it is waited for
    circumstance,  ///< comes with some measurements and cannot be asked for
};

/// Which values a metric may have.
struct MetricRange {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool above = false;  ///< `low` itself is none of them
    bool whole = false;

    [[nodiscard]] bool has(double value) const;
    /// E.g. "more than 0", "0 or 1"; empty: all.
    [[nodiscard]] std::string text() const;
};

/// An entry of the table of metrics, the one place that knows them by name.
struct Metric {
    /// Of a family with a mark for its members: '*' for a word (a target), '#' for a batch size of
    /// 2 and more.
    std::string_view name;
    std::string_view unit;  ///< empty: none, or as the name says
    Meaning meaning = Meaning::note;
    Source source = Source::training;
    MetricRange values = {};
    Needs needs = Needs::nothing;
    std::string_view best = {};  ///< the word for its best value; empty: "best NAME"
    /// Each interruption of a run shows in it, so it means something only where nothing else uses
    /// the processor.
    bool of_tail = false;
    /// Devices say it too, of the network that they built. It is compared and never taken over.
    bool repeated = false;
};

/// The entry of a metric, or of the family it belongs to; null: an objective of a test problem. Of
/// what devices measure also with a class behind it.
[[nodiscard]] const Metric* find_metric(std::string_view name);

/// A name as goals, tables and results of a run have it that names classes of devices:
/// "latency_ms@board".
struct NamedMetric {
    std::string_view metric;
    std::string_view device_class = {};  ///< empty: no class is named
};
[[nodiscard]] NamedMetric split_metric(std::string_view name);
/// How such a run calls what devices of this class delivered. Without a class, and what is no
/// measurement (the number of parameters): as they do.
[[nodiscard]] std::string metric_of_class(const std::string& metric,
                                          const std::string& device_class);
/// Whether a class can stand in such a name: letters, digits and . _ + - /, the first a letter or
/// digit.
[[nodiscard]] bool is_class_name(std::string_view text);

/// Names of what a part delivers with these means at most, in the order of the table.
///
/// @param meaning  only metrics that say this; empty: all.
/// @param members  of families; without them no family is named.
[[nodiscard]] std::vector<std::string> metric_names(Source source, Needs means,
                                                    std::optional<Meaning> meaning = {},
                                                    const std::vector<std::string>& members = {});

/// Why these are no metrics that a part may deliver, or nothing: names the first that the table
/// gives to another part or to none, or whose value is out of its range, e.g. "latency_ms is -1,
/// and has to be more than 0".
///
/// @param members  of families: targets, batch sizes. Null: not known; then any batch size will do
///                 and no word.
[[nodiscard]] std::optional<std::string> refusal(const Metrics& metrics, Source by,
                                                 const std::vector<std::string>* members);

[[nodiscard]] bool has_meaning(std::string_view name, Meaning meaning);

}  // namespace edgeloop
