#include "space/space_file.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr Bounds any_number{std::numeric_limits<double>::lowest(),
                            std::numeric_limits<double>::max()};
constexpr Bounds any_integer{-1e9, 1e9};
constexpr double max_values_of_a_parent = 1000;
constexpr double max_list_members = 1000;
const std::vector<std::string_view> parts_of_a_spec{
    "family", "architecture", "clip", "training", "quantisation", "low_rank", "hardware"};

[[noreturn]] void reject(const Place& place, const std::string& problem,
                         const std::string& suggestion = {}) {
    throw ConfigError(place.text() + ": " + problem, {}, suggestion);
}

bool is_name(const std::string& text) {
    const auto belongs = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
    };
    constexpr int max_digits = 4;  // a place in a list; more are beyond all lists
    int digits = 0;
    for (const char c : text) {
        digits = std::isdigit(static_cast<unsigned char>(c)) != 0 ? digits + 1 : 0;
        if (!belongs(c) || digits > max_digits) return false;
    }
    return !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0;
}

class SpaceParser {
  public:
    SpaceParser(const Json& json, const Place& place)
        : root_(json, place,
                {"version", "name", "description", "base", "variables", "cases", "constraints",
                 "limits"}) {}

    SpaceDefinition parse() {
        if (root_.integer("version", {0, 1e9}) != 1)
            reject(root_.place("version"), "only version 1 of the grammar is known");
        space_.name = root_.text("name");
        (void)root_.text("description", "");
        read_base();
        read_variables();
        read_conditions();
        read_cases();
        check_paths();
        read_constraints();
        read_limits();
        space_.order =
            dependency_order(space_.variables, space_.conditions, root_.place("variables"));
        check_countable();
        return std::move(space_);
    }

  private:
    void read_base() {
        const Json& base = root_.member("base");
        const ObjectReader reader(base, root_.place("base"), parts_of_a_spec);
        ArchitectureSpec defaults;
        space_.base = defaults.to_json();
        space_.base["family"] = reader.text("family", "");
        for (const char* part :
             {"architecture", "clip", "training", "quantisation", "low_rank", "hardware"}) {
            if (!reader.has(part)) continue;
            if (!reader.member(part).is_object()) reject(reader.place(part), "expected an object");
            space_.base[part].merge_patch(reader.member(part));
        }
    }

    void read_variables() {
        const Place place = root_.place("variables");
        const Json& list = root_.list("variables", {1, max_list_members});
        for (std::size_t i = 0; i < list.size(); ++i) read_variable(list[i], place / i);
    }

    void read_variable(const Json& json, const Place& place) {
        const ObjectReader reader(
            json, place,
            {"name", "kind", "choices", "lower", "upper", "path", "length_of", "when"});
        Variable variable;
        variable.name = reader.text("name");
        if (!is_name(variable.name))
            reject(reader.place("name"), fmt::format("'{}' is not a name", variable.name),
                   "use letters, digits, '_' and '.', a letter first");
        if (find_variable(variable.name) != space_.variables.size())
            reject(reader.place("name"), fmt::format("'{}' is declared twice", variable.name));
        read_domain(reader, variable);
        space_.bindings.push_back(read_binding(reader, variable));
        space_.variables.push_back(std::move(variable));
    }

    void read_domain(const ObjectReader& reader, Variable& variable) {
        const std::string kind = reader.text("kind");
        const auto found = std::find_if(gene_kinds.begin(), gene_kinds.end(),
                                        [&](const GeneTraits& one) { return one.name == kind; });
        if (found == gene_kinds.end())
            reject(reader.place("kind"), fmt::format("unknown kind '{}'", kind),
                   "use " + names_of_kinds());
        variable.kind = static_cast<GeneKind>(found - gene_kinds.begin());
        if (found->has_choices) return read_choices(reader, variable);
        if (reader.has("choices")) reject(reader.place("choices"), "a range takes no choices");
        const bool whole = found->is_whole;
        variable.lower =
            whole ? reader.integer("lower", any_integer) : reader.number("lower", any_number);
        variable.upper =
            whole ? reader.integer("upper", any_integer) : reader.number("upper", any_number);
        if (variable.upper < variable.lower)
            reject(reader.place("upper"),
                   fmt::format("the domain {} to {} is empty", variable.lower, variable.upper));
        if (found->is_logarithmic && variable.lower <= 0)
            reject(reader.place("lower"), "a logarithmic range must be positive");
    }

    void read_choices(const ObjectReader& reader, Variable& variable) {
        for (const char* bound : {"lower", "upper"})
            if (reader.has(bound)) reject(reader.place(bound), "choices take no bounds");
        const Place place = reader.place("choices");
        const Json& list = reader.list("choices", {1, max_list_members});
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (std::find(variable.choices.begin(), variable.choices.end(), list[i]) !=
                variable.choices.end())
                reject(place / i, fmt::format("choice {} appears twice", list[i].dump()));
            variable.choices.push_back(list[i]);
        }
    }

    static std::string names_of_kinds() {
        std::string names;
        for (const GeneTraits& kind : gene_kinds)
            names += std::string(names.empty() ? "" : ", ") + kind.name;
        return names;
    }

    static std::vector<std::string> read_paths(const ObjectReader& reader, const char* key) {
        std::vector<std::string> paths;
        if (!reader.has(key)) return paths;
        if (reader.member(key).is_string()) return {reader.text(key)};
        const Json& list = reader.list(key, {0, max_list_members});
        for (std::size_t i = 0; i < list.size(); ++i)
            paths.push_back(text_from(list[i], reader.place(key) / i));
        return paths;
    }

    static Binding read_binding(const ObjectReader& reader, Variable& variable) {
        variable.paths = read_paths(reader, "path");
        variable.lengths = read_paths(reader, "length_of");
        if (!reader.has("path") && variable.lengths.empty()) variable.paths = {variable.name};
        Binding binding;
        for (const std::string& path : variable.paths) {
            if (!is_name(path)) reject(reader.place("path"), fmt::format("'{}' is no path", path));
            binding.paths.push_back(pointer_to(path));
        }
        for (const std::string& path : variable.lengths) {
            if (!is_name(path))
                reject(reader.place("length_of"), fmt::format("'{}' is no path", path));
            binding.lengths.push_back(pointer_to(path));
        }
        if (!variable.lengths.empty() && !counts(variable))
            reject(reader.place("length_of"), "only whole positive numbers can be a length");
        return binding;
    }

    static bool counts(const Variable& variable) {
        if (!variable.traits().has_choices)
            return variable.traits().is_whole && variable.lower >= 0;
        return std::all_of(variable.choices.begin(), variable.choices.end(),
                           [](const Json& choice) { return choice.is_number_unsigned(); });
    }

    [[nodiscard]] std::size_t find_variable(const std::string& name) const {
        const auto& all = space_.variables;
        return static_cast<std::size_t>(
            std::find_if(all.begin(), all.end(),
                         [&](const Variable& variable) { return variable.name == name; }) -
            all.begin());
    }

    void read_conditions() {
        const Json& list = root_.member("variables");
        for (std::size_t i = 0; i < list.size(); ++i)
            space_.conditions.push_back(
                list[i].contains("when")
                    ? read_when(list[i]["when"], root_.place("variables") / i / "when")
                    : Conditions{});
    }

    Conditions read_when(const Json& when, const Place& place) const {
        if (!when.is_object() || when.empty())
            reject(place, "expected an object of variables and their values");
        Conditions conditions;
        for (const auto& item : when.items()) {
            const Place where = place / item.key();
            const std::size_t parent = find_variable(item.key());
            if (parent == space_.variables.size())
                reject(where, fmt::format("there is no variable '{}'", item.key()));
            const Variable& variable = space_.variables[parent];
            if (!variable.traits().is_whole || variable.cardinality() > max_values_of_a_parent)
                reject(where,
                       fmt::format("a condition needs a variable of at most {} distinct values",
                                   max_values_of_a_parent));
            conditions.push_back(
                {parent, allowed_values(space_.variables[parent], item.value(), where)});
        }
        return conditions;
    }

    /// A value, a list of values, or {"min": .., "max": ..}.
    static std::vector<bool> allowed_values(const Variable& parent, const Json& wanted,
                                            const Place& place) {
        std::vector<bool> allowed(static_cast<std::size_t>(parent.cardinality()));
        const auto value = [&](std::size_t i) {
            return parent.value_of(parent.first() + static_cast<double>(i));
        };
        if (wanted.is_object()) {
            const ObjectReader reader(wanted, place, {"min", "max"});
            const double low = reader.number("min", any_number, any_number.low);
            const double high = reader.number("max", any_number, any_number.high);
            for (std::size_t i = 0; i < allowed.size(); ++i) {
                if (!value(i).is_number()) reject(place, "min and max need numbers to compare");
                allowed[i] = value(i).get<double>() >= low && value(i).get<double>() <= high;
            }
        } else {
            const Json values = wanted.is_array() ? wanted : Json::array({wanted});
            for (const Json& one : values) {
                const auto before = std::count(allowed.begin(), allowed.end(), true);
                for (std::size_t i = 0; i < allowed.size(); ++i)
                    if (value(i) == one) allowed[i] = true;
                if (std::count(allowed.begin(), allowed.end(), true) == before)
                    reject(place,
                           fmt::format("'{}' never takes the value {}, or it is listed twice",
                                       parent.name, one.dump()));
            }
        }
        if (std::find(allowed.begin(), allowed.end(), true) == allowed.end())
            reject(place, "no value meets this condition");
        return allowed;
    }

    void read_cases() {
        if (!root_.has("cases")) return;
        const Place place = root_.place("cases");
        const Json& list = root_.list("cases", {0, max_list_members});
        for (std::size_t i = 0; i < list.size(); ++i) {
            const ObjectReader reader(list[i], place / i, {"when", "set"});
            const ObjectReader patch(reader.member("set"), reader.place("set"), parts_of_a_spec);
            space_.cases.push_back(
                {read_when(reader.member("when"), reader.place("when")), reader.member("set")});
        }
    }

    /// Templates a design may start from, as far as single cases go.
    [[nodiscard]] std::vector<Json> templates() const {
        std::vector<Json> all{space_.base};
        for (const Case& variant : space_.cases) {
            all.push_back(space_.base);
            all.back().merge_patch(variant.set);
        }
        return all;
    }

    /// A misspelt path would otherwise show only when a design is decoded.
    void check_paths() const {
        const std::vector<Json> all = templates();
        const auto exists = [&](const Json::json_pointer& path) {
            return std::any_of(all.begin(), all.end(),
                               [&](const Json& one) { return one.contains(path); });
        };
        for (std::size_t i = 0; i < space_.variables.size(); ++i) {
            const Binding& binding = space_.bindings[i];
            for (const auto* paths : {&binding.paths, &binding.lengths})
                for (const auto& path : *paths)
                    if (!exists(path))
                        reject(root_.place("variables") / i,
                               fmt::format("neither base nor a case has the path '{}'",
                                           path.to_string()),
                               "give the template a value there");
        }
    }

    void check_countable() const {
        try {
            (void)space_.count(std::vector<bool>(space_.variables.size(), true));
        } catch (const ConfigError& error) {
            throw ConfigError(root_.place("variables").text() + ": " + error.problem(),
                              error.why());
        }
    }

    void read_constraints() {
        if (!root_.has("constraints")) return;
        const Place place = root_.place("constraints");
        const Json& list = root_.list("constraints", {0, max_list_members});
        const std::vector<Json> all = templates();
        for (std::size_t i = 0; i < list.size(); ++i) {
            space_.rules.push_back(ConstraintRule::parse(text_from(list[i], place / i), place / i));
            for (const std::string& name : space_.rules.back().names())
                if (find_variable(name) == space_.variables.size() &&
                    std::none_of(all.begin(), all.end(), [&](const Json& one) {
                        return is_name(name) && one.contains(pointer_to(name));
                    }))
                    reject(place / i, fmt::format("'{}' is neither a variable nor a path", name));
        }
    }

    void read_limits() {
        if (!root_.has("limits")) return;
        const ObjectReader reader(root_.member("limits"), root_.place("limits"),
                                  {"parameters", "training_memory_mib"});
        const Bounds positive{1, 1e15};
        StaticLimits& limits = space_.limits;
        limits.parameters =
            std::min(limits.parameters, reader.number("parameters", positive, limits.parameters));
        limits.training_memory_mib =
            std::min(limits.training_memory_mib,
                     reader.number("training_memory_mib", positive, limits.training_memory_mib));
    }

    ObjectReader root_;
    SpaceDefinition space_;
};

}  // namespace

SpaceDefinition parse_space(const Json& json, const Place& place) {
    SpaceDefinition space = SpaceParser(json, place).parse();
    space.identity = digest(json.dump());
    return space;
}

}  // namespace edgeloop
