#pragma once

#include "edgeloop/core/json.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace edgeloop::report {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();  ///< what is not known

/// What a column of evaluations.csv is about.
enum class Role { id, status, objective, gene, metric, about };

/// A column of designs. Numbers where every cell that is not empty is one, else texts.
struct Column {
    std::string name;
    Role role = Role::about;
    bool is_number = true;
    std::vector<double> numbers;     ///< shape (designs); NaN where missing
    std::vector<std::string> texts;  ///< shape (designs); empty: missing
};

/// Epochs of a training. NaN: not measured after that epoch.
struct LearningCurve {
    std::vector<double> epochs;                          ///< counted from 1; shape (rows)
    std::map<std::string, std::vector<double>> metrics;  ///< shape (rows) each; learning_rate too
};

/// A training that began, as the journal tells.
struct Training {
    std::uint64_t id = 0;      ///< of the design
    std::uint32_t repeat = 0;  ///< 0: the first; else one that confirms with another seed
    std::int64_t start_ms = -1, end_ms = -1;  ///< since 1970; -1: not known, or not ended
    double seconds = 0;
    std::string status;  ///< empty: not ended
    std::string reason;
    std::map<std::string, double> metrics;
    std::vector<int> ranks;  ///< that trained it; empty: not known
    LearningCurve curve;     ///< of no epochs in runs of releases that did not record it
};

/// A measurement that ended.
struct Measurement {
    std::uint64_t id = 0;
    std::int64_t end_ms = 0;
    double seconds = 0;
    std::string status, reason, device;
    std::string record;  ///< JSON: conditions on the device; or empty
    std::map<std::string, double> metrics;
};

/// A decision of the search, a retry, a start or a stop.
struct RunNote {
    std::int64_t time_ms = 0;
    std::uint64_t id = 0;  ///< 0: no design in particular
    std::string what, reason;
};

/// A design as the journal tells.
struct Proposal {
    std::int64_t proposed_ms = -1, ended_ms = -1;
    std::uint32_t generation = 0, index = 0;
    int epochs = 0;
    std::string status, reason;  ///< empty: it is not done
    double training_seconds = 0, measuring_seconds = 0;
    std::map<std::string, double> metrics;
    std::string spec;                    ///< JSON, or empty
    std::vector<std::uint64_t> parents;  ///< designs it was bred from; empty: none, or not known
};

/// The journal, read so that nothing a later version adds, and no damaged line, keeps the rest from
/// being seen.
struct History {
    std::map<std::uint64_t, Proposal> designs;  ///< by id; repeats are trainings of their design
    std::vector<Training> trainings;
    std::vector<Measurement> measurements;
    std::vector<RunNote> notes;
    std::int64_t first_ms = 0, last_ms = 0;
    std::size_t genes = 0;          ///< of a design; 0: not known
    std::size_t damaged_lines = 0;  ///< left out
};

/// A demand on a metric, e.g. latency_ms <= 0.8.
struct Demand {
    std::string metric, relation;
    double bound = 0;
};

/// A table of numbers, e.g. progress.csv; NaN: an empty cell.
struct NumberTable {
    std::vector<std::string> names;
    std::vector<std::vector<double>> columns;  ///< shape (names, rows)
};

/// A run directory, read once: what the tables say, and from the journal what they do not.
struct RunView {
    std::string folder;  ///< as it was given
    std::string name;    ///< its last part
    Json provenance = Json::object(), status = Json::object(), conditions = Json::object();
    std::string config;  ///< of the newest start; or empty
    std::vector<std::string> objectives;
    std::vector<Demand> demands;
    std::size_t rows = 0;
    std::vector<Column> columns;
    std::vector<std::size_t> front;  ///< rows of pareto.csv, in its order
    NumberTable progress;
    History history;
    std::vector<std::string> remarks;  ///< what is missing or was left out, for people

    /// Null: there is none of this name.
    [[nodiscard]] const Column* find(const std::string& column) const;
    /// Values of all objectives by row; empty where one is missing. Shape (rows).
    [[nodiscard]] std::vector<std::vector<double>> objective_values() const;
    /// Whether a row completed. Shape (rows).
    [[nodiscard]] std::vector<bool> completed() const;
};

/// Most designs that are read.
constexpr std::size_t max_designs = 200'000;

/// Reads a run directory of any release, running, stopped or crashed.
/// @throws ConfigError  there is no run, or it has more designs than max_designs; IoError.
[[nodiscard]] RunView read_run(const std::string& folder);

}  // namespace edgeloop::report
