#include "edgeloop/architecture/quantisation.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

const std::vector<int> weight_bits{1, 2, 3, 4, 5, 6, 7, 8, Bits::none};
const std::vector<int> activation_bits{1, 2, 3, 4, 8, Bits::none};

void check(int bits, const std::vector<int>& known, const Place& place) {
    if (std::find(known.begin(), known.end(), bits) == known.end())
        throw ConfigError(
            fmt::format("{}: {} is not one of: {}", place.text(), bits, fmt::join(known, ", ")));
}

void check(const Bits& bits, const Place& place) {
    check(bits.weights, weight_bits, place / "weights");
    check(bits.activations, activation_bits, place / "activations");
}

}  // namespace

std::vector<Field> Bits::fields() {
    return {
        {"weights", weights, {1, none}, "bits of the weights: 1 to 8, or 32 for float32"},
        {"activations",
         activations,
         {1, none},
         "bits of what the layer reads: 1, 2, 3, 4, 8, or 32 for float32"},
    };
}

std::vector<Field> Quantisation::fields() {
    return {
        {"quantiser", quantiser, {"lsq", "vecq"}, "of the weights"},
        {"float_share",
         float_share,
         {0, 1},
         "of the epochs, trained in float32 before the rest; one epoch at least is quantised"},
        {"stages", stages, {1, 64}, "for each stage"},
    };
}

Bits Quantisation::of_module(const std::string& name, bool dense_reads_features) const {
    const std::string group = name.substr(0, name.find('.'));
    if (group == "stages") return of_stage(std::stoul(name.substr(group.size() + 1)));
    if (group == "stem") return of_first();
    if (group == "hidden" || group == "head") return of_dense();
    if (group == "output") return of_last();
    EDGELOOP_EXPECT(group == "features", "a module of another family");
    return {Bits::none, dense_reads_features ? of_dense().activations : of_last().activations};
}

int Quantisation::first_epoch(int epochs) const {
    if (is_float()) return epochs;
    return std::clamp(static_cast<int>(float_share * epochs), 0, std::max(0, epochs - 1));
}

std::optional<std::string> Quantisation::problem(const LayerGroups& groups) const {
    if (is_float()) return std::nullopt;
    if (stages.size() != groups.stages)
        return fmt::format("quantisation has {} stages but the network has {}", stages.size(),
                           groups.stages);
    const int reads = groups.has_first ? first.activations : stages.front().activations;
    constexpr int grey_values = 8;
    if (reads != grey_values && reads != Bits::none)
        return fmt::format(
            "the first layer reads {} bits, but what it reads are grey values of {} bits", reads,
            grey_values);
    return std::nullopt;
}

void Quantisation::settle(const LayerGroups& groups) {
    if (!groups.has_first) first = Bits();
    if (!groups.has_dense) dense = Bits();
    const auto is_whole = [](const Bits& bits) { return bits.is_float(); };
    if (std::all_of(stages.begin(), stages.end(), is_whole) && last.is_float() &&
        (!groups.has_first || first.is_float()) && (!groups.has_dense || dense.is_float()))
        *this = Quantisation();
}

Quantisation quantisation_from(const Json& json, const Place& place) {
    const ObjectReader reader(json, place,
                              {"quantiser", "float_share", "first", "stages", "dense", "last"});
    Quantisation read;
    Json lists = json;
    for (const char* group : {"first", "dense", "last"}) lists.erase(group);
    read_fields(read.fields(), lists, place);
    for (const auto& [group, bits] :
         {std::pair("first", &read.first), std::pair("dense", &read.dense),
          std::pair("last", &read.last)}) {
        if (!reader.has(group)) continue;
        read_fields(bits->fields(), reader.member(group), reader.place(group));
        check(*bits, reader.place(group));
    }
    for (std::size_t i = 0; i < read.stages.size(); ++i)
        check(read.stages[i], reader.place("stages") / i);
    return read;
}

Json to_json(Quantisation quantisation) {
    Json json = write_fields(quantisation.fields());
    json["first"] = write_fields(quantisation.first.fields());
    json["dense"] = write_fields(quantisation.dense.fields());
    json["last"] = write_fields(quantisation.last.fields());
    return json;
}

}  // namespace edgeloop
