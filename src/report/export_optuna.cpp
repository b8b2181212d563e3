#include "edgeloop/core/text.hpp"
#include "edgeloop/report/export.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <unordered_map>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace edgeloop::report {
namespace {

// Numbers of Optuna's JournalOperation, TrialState and StudyDirection.
enum Operation { create_study = 0, set_study_attribute = 2, create_trial = 4 };
enum TrialState { running = 0, complete = 1, pruned = 2, failed = 3 };
constexpr int minimise = 1;

/// A time as Optuna has it: ISO 8601 without a zone; here of UTC.
std::string iso_time(std::int64_t time_ms) {
    const auto seconds = static_cast<std::time_t>(time_ms / 1000);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}000", fmt::gmtime(seconds), time_ms % 1000);
}

/// A gene as a parameter of Optuna: its range is that of the designs in the run.
class Parameter {
  public:
    explicit Parameter(const Column& column) : column_(column) {
        if (!column.is_number) {
            const std::set<std::string> words(column.texts.begin(), column.texts.end());
            for (const std::string& word : words)
                if (!word.empty()) words_.push_back(word);
            return;
        }
        for (const double value : column.numbers) {
            if (!std::isfinite(value)) continue;
            low_ = any_ ? std::min(low_, value) : value;
            high_ = any_ ? std::max(high_, value) : value;
            whole_ = whole_ && value == std::round(value);
            any_ = true;
        }
    }

    [[nodiscard]] const std::string& name() const { return column_.name; }

    [[nodiscard]] std::string distribution() const {
        Json json;
        if (!column_.is_number) {
            std::vector<std::string> shown;
            for (const std::string& word : words_) shown.push_back(printable(word));
            json = {{"name", "CategoricalDistribution"}, {"attributes", {{"choices", shown}}}};
        } else if (whole_) {
            json = {{"name", "IntDistribution"},
                    {"attributes",
                     {{"low", static_cast<std::int64_t>(low_)},
                      {"high", static_cast<std::int64_t>(high_)},
                      {"log", false},
                      {"step", 1}}}};
        } else {
            json = {{"name", "FloatDistribution"},
                    {"attributes",
                     {{"low", low_}, {"high", high_}, {"log", false}, {"step", nullptr}}}};
        }
        return json.dump();
    }

    /// The value as Optuna keeps it: of a text the place among the choices. Nothing: the gene does
    /// not exist in this design.
    [[nodiscard]] std::optional<double> value(std::size_t row) const {
        if (column_.is_number) {
            const double value = column_.numbers[row];
            return std::isfinite(value) ? std::optional(value) : std::nullopt;
        }
        const auto found = std::lower_bound(words_.begin(), words_.end(), column_.texts[row]);
        if (column_.texts[row].empty() || found == words_.end()) return std::nullopt;
        return static_cast<double>(found - words_.begin());
    }

  private:
    const Column& column_;
    std::vector<std::string> words_;
    double low_ = 0, high_ = 0;
    bool any_ = false, whole_ = true;
};

class OptunaWriter {
  public:
    explicit OptunaWriter(const RunView& run)
        : run_(run), values_(run.objective_values()), front_(run.front.begin(), run.front.end()) {
        for (const Column& column : run.columns)
            if (column.role == Role::gene) parameters_.emplace_back(column);
        for (const Training& training : run.history.trainings)
            if (training.repeat == 0) trainings_[training.id].push_back(&training);
    }

    [[nodiscard]] std::string text() {
        operation({{"op_code", create_study},
                   {"study_name", run_.name},
                   {"directions", std::vector<int>(run_.objectives.size(), minimise)}});
        attribute("edgeloop:objectives", run_.objectives);
        attribute("edgeloop:provenance", run_.provenance);
        for (std::size_t row = 0; row < run_.rows; ++row) trial(row);
        return std::move(out_);
    }

  private:
    void operation(Json json) {
        json["worker_id"] = "edgeloop";
        out_ += json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
    }

    void attribute(const std::string& name, const Json& value) {
        operation(
            {{"op_code", set_study_attribute}, {"study_id", 0}, {"user_attr", {{name, value}}}});
    }

    void trial(std::size_t row) {
        Json json = {{"op_code", create_trial}, {"study_id", 0}, {"system_attrs", Json::object()}};
        const Column* const status = run_.find("status");
        const std::string ended = status == nullptr ? "" : status->texts[row];
        const bool whole = !values_[row].empty() && finite(values_[row]);
        const bool counts = whole && (ended == "completed" || ended == "infeasible");
        json["state"] = counts                                          ? complete
                        : ended.empty()                                 ? running
                        : ended == "infeasible" || ended == "cancelled" ? pruned
                                                                        : failed;
        if (counts) json["values"] = values_[row];
        if (const Json violations = constraints(row); counts && !violations.empty())
            json["system_attrs"]["constraints"] = violations;
        json["params"] = json["distributions"] = Json::object();
        for (const Parameter& parameter : parameters_)
            if (const auto value = parameter.value(row)) {
                json["params"][printable(parameter.name())] = *value;
                json["distributions"][printable(parameter.name())] = parameter.distribution();
            }
        describe(json, row);
        operation(std::move(json));
    }

    static bool finite(const std::vector<double>& values) {
        return std::all_of(values.begin(), values.end(),
                           [](double value) { return std::isfinite(value); });
    }

    /// As Optuna's samplers read them: more than 0 where a limit is broken.
    [[nodiscard]] Json constraints(std::size_t row) const {
        Json json = Json::array();
        for (const Demand& demand : run_.demands) {
            const Column* const column = run_.find(demand.metric);
            if (column == nullptr || !column->is_number || !std::isfinite(column->numbers[row]))
                return Json::array();
            const double beyond = column->numbers[row] - demand.bound;
            json.push_back(demand.relation == ">=" ? -beyond : beyond);
        }
        return json;
    }

    void describe(Json& json, std::size_t row) const {
        Json& about = json["user_attrs"] = {{"on_front", front_.count(row) > 0}};
        for (const Column& column : run_.columns) {
            if (column.role == Role::gene || column.role == Role::objective) continue;
            if (!column.is_number && !column.texts[row].empty())
                about[printable(column.name)] = printable(column.texts[row]);
            else if (column.is_number && std::isfinite(column.numbers[row]))
                about[printable(column.name)] = column.numbers[row];
        }
        std::int64_t start = run_.history.first_ms, end = run_.history.last_ms;
        json["intermediate_values"] = Json::object();
        const Column* const id = run_.find("id");
        if (id != nullptr && id->is_number && id->numbers[row] >= 0) {
            const auto number = static_cast<std::uint64_t>(id->numbers[row]);
            if (const auto found = run_.history.designs.find(number);
                found != run_.history.designs.end()) {
                if (found->second.proposed_ms >= 0) start = found->second.proposed_ms;
                if (found->second.ended_ms >= 0) end = found->second.ended_ms;
                about["parents"] = found->second.parents;
            }
            add_curve(json, number);
        }
        json["datetime_start"] = iso_time(start);
        if (json["state"] != running) json["datetime_complete"] = iso_time(end);
    }

    /// The first objective that was validated, over epochs.
    void add_curve(Json& json, std::uint64_t id) const {
        const auto found = trainings_.find(id);
        if (found == trainings_.end()) return;
        for (const std::string& name : run_.objectives) {
            for (const Training* training : found->second) {
                const auto values = training->curve.metrics.find(name);
                if (values == training->curve.metrics.end()) continue;
                for (std::size_t i = 0; i < values->second.size(); ++i)
                    if (std::isfinite(values->second[i]))
                        json["intermediate_values"]
                            [fmt::format("{:.0f}", training->curve.epochs[i])] = values->second[i];
            }
            if (!json["intermediate_values"].empty()) return;
        }
    }

    const RunView& run_;
    std::vector<std::vector<double>> values_;
    std::set<std::size_t> front_;
    std::vector<Parameter> parameters_;
    std::unordered_map<std::uint64_t, std::vector<const Training*>> trainings_;
    std::string out_;
};

}  // namespace

std::string export_optuna(const RunView& run) { return OptunaWriter(run).text(); }

}  // namespace edgeloop::report
