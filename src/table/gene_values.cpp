#include "table/gene_values.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_choices = 10000;

std::optional<double> finite(std::string_view text) {
    const std::optional<double> value = number_in<double>(text);
    return value && std::isfinite(*value) ? value : std::nullopt;
}

/// One text for each number, so that 0.1 and 0.10 are one choice.
std::string plain(std::string_view text) {
    const std::optional<double> value = finite(text);
    return value ? shortest(*value + 0.0) : std::string(text);
}

bool all_numbers(const std::vector<std::string>& texts) {
    return std::all_of(texts.begin(), texts.end(),
                       [](const std::string& text) { return finite(text).has_value(); });
}

void sort_by_number(std::vector<std::string>& texts) {
    std::sort(texts.begin(), texts.end(),
              [](const std::string& a, const std::string& b) { return *finite(a) < *finite(b); });
}

[[noreturn]] void reject(const std::string& place, std::string_view text, const std::string& what,
                         const std::string& suggestion) {
    throw ConfigError(fmt::format("{}: '{}' is {}", place, text, what), {}, suggestion);
}

}  // namespace

GeneValues::GeneValues(TableGene gene) : gene_(std::move(gene)) {
    for (const Json& choice : gene_.choices) {
        std::string text = plain(choice.is_string() ? choice.get<std::string>() : choice.dump());
        if (std::count(given_.begin(), given_.end(), text) > 0)
            throw ConfigError(
                fmt::format("gene '{}' has the choice '{}' twice", gene_.column, text));
        given_.push_back(std::move(text));
    }
}

std::uint32_t GeneValues::number_of(std::string_view text,
                                    const std::function<std::string()>& place) {
    if (last_number_ && text == last_) return *last_number_;
    auto found = numbers_.find(text);
    if (found == numbers_.end()) {
        check(text, place);
        found = numbers_.emplace(text, static_cast<std::uint32_t>(numbers_.size())).first;
    }
    last_ = text;
    last_number_ = found->second;
    return found->second;
}

void GeneValues::check(std::string_view text, const std::function<std::string()>& place) const {
    if (text.empty()) throw ConfigError(place() + ": the value of a gene is missing");
    const std::optional<double> value = finite(text);
    if (!given_.empty()) {
        if (std::find(given_.begin(), given_.end(), plain(text)) == given_.end())
            reject(place(), text, "none of the choices",
                   fmt::format("they are {}", fmt::join(given_, ", ")));
    } else if (traits().is_ordered && !value) {
        reject(place(), text,
               fmt::format("not a number, and gene '{}' is {}", gene_.column, traits().name),
               traits().has_choices ? "list its choices in order in the description of the table"
                                    : "mend it, or make it categorical");
    }
    if (!traits().has_choices && traits().is_whole && *value != std::floor(*value))
        reject(place(), text, fmt::format("not whole, and gene '{}' is integer", gene_.column),
               "make it real or ordinal");
    if (traits().is_logarithmic && *value <= 0)
        reject(place(), text,
               fmt::format("not above 0, and gene '{}' is {}", gene_.column, traits().name),
               "make it real");
    if (traits().has_choices && numbers_.size() == max_choices)
        throw ConfigError(
            fmt::format("{}: this gene has more than {} different values", place(), max_choices),
            {}, "make it integer or real, or describe the table: its genes are other columns");
}

std::vector<std::string> GeneValues::choices() const {
    std::vector<std::string> texts = given_;
    if (texts.empty()) {
        for (const auto& each : numbers_) texts.push_back(each.first);
        if (all_numbers(texts))
            for (std::string& text : texts) text = plain(text);
        std::sort(texts.begin(), texts.end());
        texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    }
    if (all_numbers(texts) && (given_.empty() || traits().is_ordered)) sort_by_number(texts);
    return texts;
}

std::vector<double> GeneValues::all_values() const {
    std::vector<double> values;
    for (const auto& each : numbers_) values.push_back(*finite(each.first) + 0.0);
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
}

GeneValues::Made GeneValues::made() const {
    Made made;
    made.variable.name = gene_.column;
    made.variable.kind = gene_.kind;
    made.places.resize(numbers_.size());
    if (!traits().has_choices) {
        made.values = all_values();
        made.variable.lower = made.values.front();
        made.variable.upper = made.values.back();
        for (const auto& [text, number] : numbers_)
            made.places[number] = static_cast<std::uint32_t>(
                std::lower_bound(made.values.begin(), made.values.end(), *finite(text) + 0.0) -
                made.values.begin());
        return made;
    }
    const std::vector<std::string> texts = choices();
    std::map<std::string, std::uint32_t> places;
    for (const std::string& text : texts) {
        places.emplace(text, static_cast<std::uint32_t>(places.size()));
        made.variable.choices.emplace_back(text);
    }
    for (const auto& [text, number] : numbers_) {
        const auto exact = places.find(text);
        made.places[number] = exact != places.end() ? exact->second : places.at(plain(text));
    }
    return made;
}

}  // namespace edgeloop
