#include "report/history.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/line_reader.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

namespace edgeloop::report {
namespace {

constexpr std::size_t max_text = 400;                // of a reason, in bytes
constexpr std::size_t max_shown_document = 1 << 16;  // of a spec or a record

template <class T>
T value_of(const Json& json, const char* key, T fallback) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number()) return fallback;
    return found->get<T>();
}

std::string text_of(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string()) return {};
    return printable(beginning(found->get_ref<const std::string&>(), max_text));
}

std::string document_of(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_object()) return {};
    std::string text = with_printable_texts(*found).dump();
    return text.size() <= max_shown_document ? text : std::string();
}

std::map<std::string, double> metrics_of(const Json& json) {
    std::map<std::string, double> metrics;
    const auto found = json.find("metrics");
    if (found == json.end() || !found->is_object()) return metrics;
    for (const auto& [name, value] : found->items())
        if (value.is_number()) metrics[printable(name)] = value.get<double>();
    return metrics;
}

/// Values of a list, or nothing when it is none of numbers. JSON has no infinities: those are text.
std::vector<double> numbers_of(const Json& json) {
    std::vector<double> numbers;
    if (!json.is_array()) return numbers;
    for (const Json& value : json)
        numbers.push_back(value.is_number() ? value.get<double>() : missing);
    return numbers;
}

template <class Whole>
std::vector<Whole> whole_numbers_of(const Json& json, const char* key) {
    std::vector<Whole> numbers;
    const auto found = json.find(key);
    if (found == json.end() || !found->is_array()) return numbers;
    for (const Json& value : *found)
        if (value.is_number_unsigned()) numbers.push_back(value.get<Whole>());
    return numbers;
}

LearningCurve curve_of(const Json& json) {
    LearningCurve curve;
    const auto found = json.find("curve");
    if (found == json.end() || !found->is_object() || !found->contains("epoch")) return curve;
    curve.epochs = numbers_of((*found)["epoch"]);
    for (const auto& [name, values] : found->items()) {
        std::vector<double> column = numbers_of(values);
        if (name != "epoch" && column.size() == curve.epochs.size())
            curve.metrics[printable(name)] = std::move(column);
    }
    return curve;
}

/// Puts the events of a journal together, one after the other.
class HistoryReader {
  public:
    explicit HistoryReader(History& history) : history_(history) {}

    /// @throws an exception of the JSON library, or CorruptState: the line is damaged.
    void read(std::string_view line) {
        const Json json = parse_kept_json(line);
        const std::string kind = json.at("event").get<std::string>();
        if (kind == "journal") return;
        time_ms_ = json.at("time_ms").get<std::int64_t>();
        if (history_.first_ms == 0) history_.first_ms = time_ms_;
        history_.last_ms = std::max(history_.last_ms, time_ms_);
        if (kind == "note")
            history_.notes.push_back({time_ms_, design_of(value_of<std::uint64_t>(json, "id", 0)),
                                      text_of(json, "what"), text_of(json, "reason")});
        const auto id = value_of<std::uint64_t>(json, "id", 0);
        if (kind == "note" || id == 0 || is_scout(id)) return;
        if (kind == "proposed" || kind == "promoted")
            propose(json, id);
        else if (kind == "started")
            start(id);
        else if (kind == "trained")
            end_training(json, id);
        else if (kind == "measured")
            measure(json, id);
        else if (json.contains("training_seconds"))
            end(json, id, kind);
    }

  private:
    void propose(const Json& json, std::uint64_t id) {
        if (history_.genes == 0 && json.contains("genes")) history_.genes = json["genes"].size();
        if (repeat_of(id) > 0) return;
        Proposal& design = history_.designs[id];
        if (design.proposed_ms < 0) design.proposed_ms = time_ms_;
        design.generation = value_of<std::uint32_t>(json, "generation", 0);
        design.index = value_of<std::uint32_t>(json, "index", 0);
        if (design.parents.empty())
            design.parents = whole_numbers_of<std::uint64_t>(json, "parents");
        design.epochs = value_of<int>(json, "epochs", 0);
        design.status.clear();  // one that was promoted goes on
        if (design.spec.empty()) design.spec = document_of(json, "spec");
    }

    void start(std::uint64_t id) {
        Training training;
        training.id = design_of(id);
        training.repeat = repeat_of(id);
        training.start_ms = time_ms_;
        open_[id] = history_.trainings.size();
        history_.trainings.push_back(std::move(training));
    }

    void end_training(const Json& json, std::uint64_t id) {
        if (open_.count(id) == 0) {  // of a release that did not note the start
            start(id);
            history_.trainings.back().start_ms = -1;
        }
        Training& training = history_.trainings[open_[id]];
        open_.erase(id);
        training.end_ms = time_ms_;
        training.seconds = value_of<double>(json, "seconds", 0);
        training.status = text_of(json, "status");
        training.reason = text_of(json, "reason");
        training.metrics = metrics_of(json);
        training.ranks = whole_numbers_of<int>(json, "ranks");
        training.curve = curve_of(json);
    }

    void measure(const Json& json, std::uint64_t id) {
        history_.measurements.push_back(
            {design_of(id), time_ms_, value_of<double>(json, "seconds", 0), text_of(json, "status"),
             text_of(json, "reason"), text_of(json, "device"), document_of(json, "record"),
             metrics_of(json)});
    }

    void end(const Json& json, std::uint64_t id, const std::string& status) {
        if (repeat_of(id) > 0) return;
        Proposal& design = history_.designs[id];
        design.ended_ms = time_ms_;
        design.status = printable(beginning(status, max_text));
        design.reason = text_of(json, "reason");
        design.metrics = metrics_of(json);
        design.training_seconds = value_of<double>(json, "training_seconds", 0);
        design.measuring_seconds = value_of<double>(json, "measuring_seconds", 0);
    }

    History& history_;
    std::int64_t time_ms_ = 0;
    std::unordered_map<std::uint64_t, std::size_t> open_;  ///< trainings that have not ended
};

}  // namespace

History read_history(const std::string& path) {
    History history;
    HistoryReader reader(history);
    LineReader lines(path);
    bool torn = false;  // the newest line, which is still being written or was cut off by a crash
    while (const auto line = lines.next()) {
        history.damaged_lines += torn ? 1 : 0;
        torn = false;
        try {
            reader.read(*line);
        } catch (const Json::exception&) {
            torn = true;
        } catch (const CorruptState&) {
            torn = true;
        }
        if (history.designs.size() > max_designs)
            throw ConfigError(fmt::format("'{}' has more than {} designs", path, max_designs),
                              "a page of so many cannot be drawn");
    }
    return history;
}

}  // namespace edgeloop::report
