#include "store/conditions_table.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

using Values = RunConditions::Values;

constexpr const char* note_name = "conditions";

void refuse(const std::vector<std::string>& changed, const std::string& folder, const char* why,
            const char* suggestion) {
    if (changed.empty()) return;
    throw ConfigError(
        fmt::format("the run in '{}' was begun with {}", folder, fmt::join(changed, "; ")), why,
        suggestion);
}

}  // namespace

std::vector<std::string> differences(const Values& before, const Values& now) {
    const auto shown = [](const std::string& value) { return value.empty() ? "(none)" : value; };
    std::vector<std::string> result;
    for (const auto& [name, value] : before) {
        const auto found = now.find(name);
        if (found != now.end() && found->second != value)
            result.push_back(
                fmt::format("--{} {}, now {}", name, shown(value), shown(found->second)));
    }
    return result;
}

Note conditions_note(int number) { return {note_name, 0, std::to_string(number)}; }

std::optional<int> conditions_in(const Note& note) {
    if (note.what != note_name) return std::nullopt;
    const std::optional<int> number = number_in<int>(note.reason);
    if (number.value_or(0) < 1)
        throw CorruptState(fmt::format("the journal names conditions '{}'", note.reason));
    return number;
}

ConditionsTable::ConditionsTable(const RunConditions& first, const Json& about)
    : search_(first.search), entries_{{first.training, first.measuring, about}} {}

ConditionsTable ConditionsTable::read(const std::string& path, const RunConditions& earlier) {
    try {
        const Json json = parse_kept_json(read_file(path));
        const auto complete = [](const Json& part, const Values& from) {
            auto values = part.get<Values>();
            values.insert(from.begin(), from.end());
            return values;
        };
        ConditionsTable table;
        table.search_ = complete(json.at("search"), earlier.search);
        for (const Json& each : json.at("conditions"))
            table.entries_.push_back({complete(each.at("training"), earlier.training),
                                      complete(each.at("measuring"), earlier.measuring),
                                      each.at("about")});
        table.current_ = json.at("current").get<int>();
        (void)table.at(table.current_);
        return table;
    } catch (const Json::exception& error) {
        throw CorruptState(
            fmt::format("'{}' is not the table of conditions that was written", path), error.what(),
            "restore the folder from a copy or start a new run");
    }
}

void ConditionsTable::start(const RunConditions& now, bool allow_changed, const std::string& folder,
                            const Json& about) {
    const Entry& before = at(current_);
    refuse(differences(search_, now.search), folder, "it would go on with other designs",
           "resume with the options that began it, or choose another --run-dir");
    std::vector<std::string> changed = differences(before.training, now.training);
    for (std::string& each : differences(before.measuring, now.measuring))
        changed.push_back(std::move(each));
    if (!allow_changed)
        refuse(changed, folder, "results of different conditions would share one front",
               "resume with the options that began it, choose another --run-dir, or give "
               "--allow-changed: each result then says under which conditions it was made");
    const auto same = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.training == now.training && entry.measuring == now.measuring;
    });
    current_ = static_cast<int>(same - entries_.begin()) + 1;
    if (same == entries_.end()) entries_.push_back({now.training, now.measuring, about});
    search_ = now.search;
}

const ConditionsTable::Entry& ConditionsTable::at(int number) const {
    if (number < 1 || static_cast<std::size_t>(number) > entries_.size())
        throw CorruptState(fmt::format("the run has no conditions with the number {}", number), {},
                           "restore conditions.json from a copy or start a new run");
    return entries_[static_cast<std::size_t>(number) - 1];
}

Json ConditionsTable::json() const {
    Json list = Json::array();
    for (const Entry& entry : entries_)
        list.push_back({{"number", list.size() + 1},
                        {"training", entry.training},
                        {"measuring", entry.measuring},
                        {"about", entry.about}});
    return {{"version", 1},
            {"current", current_},
            {"search", search_},
            {"conditions", std::move(list)}};
}

}  // namespace edgeloop
