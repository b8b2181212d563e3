#pragma once

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
    meter,         ///< a device that has a meter for it; it is waited for
    circumstance,  ///< comes with some measurements and cannot be asked for
};

/// An entry of the table of metrics, the one place that knows them by name.
struct Metric {
    std::string_view name;  ///< of a family: with one '*' for its members (targets, batch sizes)
    std::string_view unit;  ///< empty: none, or as the name says
    Meaning meaning = Meaning::note;
    Source source = Source::training;
    Needs needs = Needs::nothing;
    std::string_view best = {};  ///< the word for its best value; empty: "best NAME"
    /// Each interruption of a run shows in it, so it means something only where nothing else uses
    /// the processor.
    bool of_tail = false;
};

/// The entry of a metric, or of the family it belongs to; null: an objective of a test problem.
[[nodiscard]] const Metric* find_metric(std::string_view name);

/// Names of what a part delivers with these means at most, in the order of the table.
///
/// @param meaning  only metrics that say this; empty: all.
/// @param members  of families; without them no family is named.
[[nodiscard]] std::vector<std::string> metric_names(Source source, Needs means,
                                                    std::optional<Meaning> meaning = {},
                                                    const std::vector<std::string>& members = {});

[[nodiscard]] bool has_meaning(std::string_view name, Meaning meaning);

}  // namespace edgeloop
