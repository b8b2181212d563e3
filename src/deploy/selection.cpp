#include "edgeloop/deploy/selection.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t max_table = 256 << 20;
constexpr const char* latency_name = "latency_ms";

[[noreturn]] void refuse(const std::string& file, const std::string& why) {
    throw CorruptState(fmt::format("'{}' is not what a search wrote", file), why,
                       "restore the folder from a copy");
}

/// A JSON file of a run; an empty object when there is none: older runs had fewer files.
Json kept_json(const std::string& file) {
    if (!fs::exists(file)) return Json::object();
    try {
        Json json = parse_kept_json(read_file(file, max_kept_json_bytes));
        if (json.is_object()) return json;
    } catch (const Json::exception& error) {
        refuse(file, error.what());
    }
    refuse(file, "it is no JSON object");
}

std::string text_in(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// "val_rmse,latency_ms;latency_ms<=0.8", as Goals::text() gives it: what is before the limits.
std::vector<std::string> objectives_in(const std::string& goals) {
    std::vector<std::string> names;
    std::istringstream text(goals.substr(0, goals.find(';')));
    for (std::string name; std::getline(text, name, ',');) names.push_back(name);
    return names;
}

class FrontReader {
  public:
    FrontReader(std::string file, Front& front) : file_(std::move(file)), front_(front) {}

    void read(const std::string& bytes) {
        std::istringstream lines(bytes);
        std::string line;
        if (!std::getline(lines, line)) refuse(file_, "it is empty");
        columns_ = csv_row(line);
        if (columns_.front() != "id") refuse(file_, "its first column is not 'id'");
        while (std::getline(lines, line)) add(csv_row(line));
    }

  private:
    void add(const std::vector<std::string>& cells) {
        if (cells.size() != columns_.size())
            refuse(file_,
                   fmt::format("a row has {} cells under {} names", cells.size(), columns_.size()));
        const std::optional<CandidateId> id = number_in<CandidateId>(cells[0]);
        if (!id) refuse(file_, fmt::format("'{}' is no id", printable(cells[0])));
        FrontMember member;
        member.id = *id;
        for (std::size_t i = 1; i < cells.size(); ++i) take(columns_[i], cells[i], member);
        for (const std::string& name : front_.objectives)
            if (member.metrics.count(name) == 0)
                refuse(file_, fmt::format("design {} has no {}", member.id, printable(name)));
        front_.members.push_back(std::move(member));
    }

    void take(const std::string& name, const std::string& text, FrontMember& member) const {
        if (const NamedMetric named = split_metric(name); named.metric == "device" && !text.empty())
            member.devices[std::string(named.device_class)] = text;
        if (name == "conditions") member.conditions = text;
        if (!is_metric(name) || text.empty()) return;
        const std::optional<double> value = number_in<double>(text);
        if (!value) refuse(file_, fmt::format("{} '{}' is no number", name, printable(text)));
        member.metrics[name] = *value;
    }

    /// The other columns are genes.
    [[nodiscard]] bool is_metric(const std::string& name) const {
        const auto& objectives = front_.objectives;
        return find_metric(name) != nullptr ||
               std::any_of(objectives.begin(), objectives.end(), [&](const std::string& each) {
                   return name == each || name == "first_" + each || name == each + "_n" ||
                          name == each + "_sd" || name == each + "_se";
               });
    }

    std::string file_;
    Front& front_;
    std::vector<std::string> columns_;
};

/// The member with the smallest value; of equal ones that with the smallest id.
template <class Value>
std::size_t smallest(const Front& front, const Value& value) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < front.members.size(); ++i) {
        const std::pair candidate(value(front.members[i]), front.members[i].id);
        if (candidate < std::pair(value(front.members[best]), front.members[best].id)) best = i;
    }
    return best;
}

std::size_t smallest_metric(const Front& front, const std::string& name) {
    return smallest(front, [&](const FrontMember& member) {
        const auto found = member.metrics.find(name);
        return found == member.metrics.end() ? std::numeric_limits<double>::infinity()
                                             : found->second;
    });
}

bool anybody_has(const Front& front, const std::string& name) {
    return std::any_of(front.members.begin(), front.members.end(),
                       [&](const FrontMember& member) { return member.metrics.count(name) > 0; });
}

std::size_t fastest(const Front& front, const std::string& run_dir) {
    if (anybody_has(front, latency_name)) return smallest_metric(front, latency_name);
    for (const std::string& name : front.objectives)
        if (name.find("latency_") != std::string::npos) return smallest_metric(front, name);
    throw ConfigError(
        fmt::format("no design of '{}' has a latency, so none is the fastest", run_dir),
        "the search measured none", "select an id, knee or best");
}

std::size_t most_accurate(const Front& front) {
    const char* const error = "val_rmse";
    return smallest_metric(front, anybody_has(front, error) ? error : front.objectives.front());
}

std::size_t knee(const Front& front) {
    std::vector<double> sums(front.members.size(), 0.0);
    for (const std::string& name : front.objectives) {
        double low = std::numeric_limits<double>::infinity(), high = -low;
        for (const FrontMember& member : front.members) {
            low = std::min(low, member.metrics.at(name));
            high = std::max(high, member.metrics.at(name));
        }
        if (!(high > low)) continue;
        for (std::size_t i = 0; i < sums.size(); ++i)
            sums[i] += (front.members[i].metrics.at(name) - low) / (high - low);
    }
    return smallest(front, [&](const FrontMember& member) {
        return sums[static_cast<std::size_t>(&member - front.members.data())];
    });
}

/// Of the conditions under which the member was measured, the newest.
Json measuring_conditions(const std::string& run_dir, const FrontMember& member) {
    const std::string file = run_dir + "/conditions.json";
    const Json table = kept_json(file);
    const auto plus = member.conditions.rfind('+');
    const auto number = number_in<int>(
        plus == std::string::npos ? member.conditions : member.conditions.substr(plus + 1));
    for (const Json& each : table.value("conditions", Json::array()))
        if (number && each.is_object() && each.value("number", Json()) == Json(*number))
            return each.value("measuring", Json::object());
    return Json::object();
}

/// The first class of devices that an objective names; empty: none does.
std::string class_of(const Front& front) {
    for (const std::string& name : front.objectives)
        if (const NamedMetric named = split_metric(name);
            !named.device_class.empty() && find_metric(name) != nullptr)
            return std::string(named.device_class);
    return {};
}

/// A setting of measuring: what --device-class says of the class ("board:threads=2"), or else of
/// all.
std::string setting_of(const Json& measuring, const std::string& device_class,
                       const std::string& name) {
    std::istringstream classes(text_in(measuring, "device-class"));
    for (std::string each; !device_class.empty() && classes >> each;) {
        if (each.rfind(device_class + ":", 0) != 0) continue;
        std::istringstream settings(each.substr(device_class.size() + 1));
        for (std::string own; std::getline(settings, own, ',');)
            if (own.rfind(name + "=", 0) == 0) return own.substr(name.size() + 1);
    }
    return text_in(measuring, ("measure-" + name).c_str());
}

Promise promise_of(const std::string& run_dir, const Front& front, const FrontMember& member) {
    Promise promise;
    promise.device_class = class_of(front);
    for (const auto& [name, value] : member.metrics) {
        const Metric* metric = find_metric(name);
        const NamedMetric named = split_metric(name);
        if (metric != nullptr && metric->source == Source::measuring &&
            named.device_class == promise.device_class)
            promise.metrics[std::string(named.metric)] = value;
    }
    if (promise.empty()) return {};
    const auto modelled = promise.metrics.find("latency_is_modelled");
    promise.modelled = modelled != promise.metrics.end() && modelled->second != 0;
    if (const auto device = member.devices.find(promise.device_class);
        device != member.devices.end())
        promise.device = device->second;
    const Json provenance = kept_json(run_dir + "/provenance.json");
    for (const Json& device : provenance.value("devices", Json::array()))
        if (!promise.device.empty() && text_in(device, "name") == promise.device)
            promise.device_class = text_in(device, "class");
    const Json measuring = measuring_conditions(run_dir, member);
    const std::string of_class = class_of(front);
    promise.runtime = setting_of(measuring, of_class, "runtime");
    promise.processor = setting_of(measuring, of_class, "processor");
    promise.threads = number_in<int>(setting_of(measuring, of_class, "threads")).value_or(0);
    return promise;
}

}  // namespace

Front read_front(const std::string& run_dir) {
    const std::string table = run_dir + "/pareto.csv";
    if (!fs::is_directory(run_dir))
        throw ConfigError(fmt::format("there is no run directory '{}'", run_dir), {},
                          "name the --run-dir of a search");
    if (!fs::exists(table))
        throw ConfigError(fmt::format("'{}' has no front: there is no pareto.csv", run_dir),
                          "a search writes it with its first results",
                          "name the --run-dir of a search, or wait for its first results");
    Front front;
    const Json provenance = kept_json(run_dir + "/provenance.json");
    front.objectives =
        objectives_in(text_in(provenance.value("identity", Json::object()), "objectives"));
    if (front.objectives.empty())
        refuse(run_dir + "/provenance.json", "it does not say the objectives of the search");
    FrontReader(table, front).read(read_file(table, max_table));
    front.phase = text_in(kept_json(run_dir + "/status.json"), "phase");
    if (front.members.empty())
        throw ConfigError(fmt::format("the front of '{}' is empty", run_dir),
                          front.may_change() ? "no design has completed yet, or none was confirmed"
                                             : "no design fulfilled the constraints",
                          front.may_change() ? "go on with the search" : "relax its constraints");
    return front;
}

std::size_t find_member(const Front& front, const std::string& which, const std::string& run_dir) {
    if (which == "fastest") return fastest(front, run_dir);
    if (which == "best") return most_accurate(front);
    if (which == "knee") return knee(front);
    const std::optional<CandidateId> id = number_in<CandidateId>(which);
    if (!id)
        throw ConfigError(fmt::format("cannot select '{}'", printable(which)), {},
                          "select an id of pareto.csv, or knee, fastest or best");
    const auto found = std::find_if(front.members.begin(), front.members.end(),
                                    [&](const FrontMember& member) { return member.id == *id; });
    if (found != front.members.end())
        return static_cast<std::size_t>(found - front.members.begin());
    std::vector<CandidateId> ids;
    for (const FrontMember& member : front.members) ids.push_back(member.id);
    constexpr std::size_t max_named = 20;
    const bool cut = ids.size() > max_named;
    if (cut) ids.resize(max_named);
    throw ConfigError(fmt::format("design {} is not on the front of '{}'", *id, run_dir),
                      fmt::format("its members are {}{}", fmt::join(ids, ", "), cut ? ", ..." : ""),
                      "select one of these, or knee, fastest or best");
}

Selection select(const std::string& run_dir, const std::string& which) {
    const Front front = read_front(run_dir);
    const FrontMember& member = front.members[find_member(front, which, run_dir)];
    const std::string folder = fmt::format("{}/models/{}", run_dir, member.id);
    const std::string spec = folder + "/spec.json", weights = folder + "/weights.safetensors";
    if (!fs::is_directory(run_dir + "/models"))
        throw ConfigError(fmt::format("'{}' has no networks: there is no folder models", run_dir),
                          "it is the run of a test problem, or was copied in part",
                          "name the run directory of a search over networks");
    if (!fs::exists(spec))
        throw ConfigError(
            fmt::format("there is no '{}'", spec),
            front.may_change() ? "the search that is under way may have replaced the design" : "",
            front.may_change() ? "try again" : "restore the folder from a copy");
    Selection selection;
    selection.run_dir = run_dir;
    selection.id = member.id;
    selection.spec = ArchitectureSpec::from_file(spec);
    if (fs::exists(weights)) selection.weights_file = weights;
    for (const std::string& name : front.objectives)
        selection.objectives[name] = member.metrics.at(name);
    selection.metrics = member.metrics;
    selection.promise = promise_of(run_dir, front, member);
    selection.phase = front.phase;
    selection.may_change = front.may_change();
    return selection;
}

}  // namespace edgeloop
