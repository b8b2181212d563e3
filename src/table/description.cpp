#include "edgeloop/table/description.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/object_reader.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

constexpr Bounds list_length{0, 10000};
constexpr int max_epochs = 1000000000;

std::optional<GeneKind> kind_named(const std::string& name) {
    for (std::size_t kind = 0; kind < gene_kinds.size(); ++kind)
        if (gene_kinds[kind].name == name) return static_cast<GeneKind>(kind);
    return std::nullopt;
}

std::string names_of_kinds() {
    std::vector<std::string> names;
    for (const GeneTraits& kind : gene_kinds) names.emplace_back(kind.name);
    return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<std::string> texts(const ObjectReader& reader, const char* key) {
    std::vector<std::string> found;
    if (!reader.has(key)) return found;
    const Json& list = reader.list(key, list_length);
    for (std::size_t i = 0; i < list.size(); ++i)
        found.push_back(text_from(list[i], reader.place(key) / i));
    return found;
}

TableGene gene_from(const Json& json, const Place& place) {
    if (json.is_string()) return {json.get<std::string>()};
    const ObjectReader reader(json, place, {"column", "kind", "choices"});
    TableGene gene{reader.text("column")};
    const std::string name = reader.text("kind", gene_kinds[0].name);
    const std::optional<GeneKind> kind = kind_named(name);
    if (!kind)
        throw ConfigError(fmt::format("{}: unknown kind '{}'", reader.place("kind").text(), name),
                          {}, "use " + names_of_kinds());
    gene.kind = *kind;
    if (!reader.has("choices")) return gene;
    const Place choices = reader.place("choices");
    if (!gene_kinds[static_cast<std::size_t>(gene.kind)].has_choices)
        throw ConfigError(choices.text() + ": a range takes no choices");
    const Json& list = reader.list("choices", {1, list_length.high});
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (!list[i].is_string() && !list[i].is_number())
            throw ConfigError((choices / i).text() + ": expected a text or a number");
        gene.choices.push_back(list[i]);
    }
    return gene;
}

std::map<int, std::string> columns_from(const Json& json, const Place& place) {
    if (!json.is_object() || json.empty())
        throw ConfigError(place.text() + ": expected an object", {},
                          "name the column of each number of epochs, e.g. {\"12\": \"error_e12\"}");
    std::map<int, std::string> columns;
    for (const auto& item : json.items()) {
        const std::optional<int> epochs = number_in<int>(item.key());
        if (!epochs || *epochs < 1 || *epochs > max_epochs)
            throw ConfigError(fmt::format("{}: '{}' is no number of epochs",
                                          (place / item.key()).text(), item.key()));
        if (!columns.emplace(*epochs, text_from(item.value(), place / item.key())).second)
            throw ConfigError(fmt::format("{}: {} epochs are given twice", place.text(), *epochs));
    }
    return columns;
}

}  // namespace

TableDescription read_table_description(const std::string& path) {
    const std::string text = read_file(path);
    const Json json = parse_json(text, path);
    const ObjectReader reader(json, Place(path, text),
                              {"version", "description", "genes", "objectives", "measured",
                               "counted", "fidelities", "epoch_seconds"});
    if (reader.integer("version", {0, max_epochs}) != 1)
        throw ConfigError(reader.place("version").text() + ": only version 1 is known");
    (void)reader.text("description", "");
    TableDescription description;
    if (reader.has("genes")) {
        description.genes.emplace();
        const Json& list = reader.list("genes", {1, list_length.high});
        for (std::size_t i = 0; i < list.size(); ++i)
            description.genes->push_back(gene_from(list[i], reader.place("genes") / i));
    }
    description.objectives = texts(reader, "objectives");
    description.measured = texts(reader, "measured");
    description.counted = texts(reader, "counted");
    if (reader.has("fidelities")) {
        const Place place = reader.place("fidelities");
        const Json& fidelities = reader.member("fidelities");
        if (!fidelities.is_object()) throw ConfigError(place.text() + ": expected an object");
        for (const auto& item : fidelities.items())
            description.fidelities[item.key()] = columns_from(item.value(), place / item.key());
    }
    description.epoch_seconds = reader.text("epoch_seconds", "");
    return description;
}

std::string description_beside(const std::string& table) {
    for (const std::string_view end : {".tsv.gz", ".tsv"})
        if (table.size() > end.size() &&
            table.compare(table.size() - end.size(), end.size(), end) == 0)
            return table.substr(0, table.size() - end.size()) + ".json";
    return table + ".json";
}

TableGene table_gene_from(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return {text};
    const std::optional<GeneKind> kind = kind_named(text.substr(colon + 1));
    if (!kind)
        throw ConfigError(
            fmt::format("--genes {}: unknown kind '{}'", text, text.substr(colon + 1)), {},
            "use " + names_of_kinds());
    return {text.substr(0, colon), *kind};
}

void add_fidelity(const std::string& text, TableDescription& description) {
    const std::size_t equals = text.find('='), at = text.rfind('@', equals);
    std::optional<int> epochs;
    if (equals != std::string::npos && at != std::string::npos)
        epochs = number_in<int>(std::string_view(text).substr(at + 1, equals - at - 1));
    if (!epochs || *epochs < 1 || *epochs > max_epochs || at == 0 || equals + 1 == text.size())
        throw ConfigError(fmt::format("--fidelities '{}' is not understood", text), {},
                          "write OBJECTIVE@EPOCHS=COLUMN, e.g. error@12=error_e12");
    description.fidelities[text.substr(0, at)][*epochs] = text.substr(equals + 1);
}

}  // namespace edgeloop
