#include "edgeloop/data/split.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::array<const char*, split_part_count> part_names = {"train", "validation", "test",
                                                                  "prediction"};
constexpr std::array<const char*, 3> mode_names = {"layer", "object", "official"};

const std::vector<std::string> train_objects = {"C027", "C028", "C030", "C031", "C033", "C034",
                                                "C036", "C037", "C038", "C039", "C041", "C042"};

bool contains(const std::vector<std::string>& sorted, const std::string& item) {
    return std::binary_search(sorted.begin(), sorted.end(), item);
}

/// @throws ConfigError  "unknown <what> '<name>'".
template <class Value, std::size_t n>
Value value_named(const std::array<const char*, n>& names, const std::string& name,
                  const char* what, const char* suggestion) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
        throw ConfigError(fmt::format("unknown {} '{}'", what, name), {}, suggestion);
    return static_cast<Value>(found - names.begin());
}

std::string unit_of(const SplitLayer& layer, SplitMode mode) {
    return mode == SplitMode::object ? layer.object : layer.object + "/" + layer.layer;
}

void check(const std::vector<SplitLayer>& layers, const SplitOptions& options) {
    const double validation = options.validation_fraction, test = options.test_fraction;
    if (!(validation > 0 && validation < 1) || !(test >= 0 && test < 1) || validation + test >= 1)
        throw ConfigError(fmt::format("validation fraction {} and test fraction {} do not work",
                                      validation, test),
                          "validation must be above 0 and something must be left for training");
    std::set<std::string> seen;
    for (const SplitLayer& layer : layers)
        if (!seen.insert(unit_of(layer, SplitMode::layer)).second)
            throw ConfigError(
                fmt::format("object '{}', layer '{}' is given twice", layer.object, layer.layer),
                "a layer in two files would end up in two parts of the split",
                "name each file once");
}

/// How many of `count` units a fraction takes: rounded, but at least `least`.
std::size_t share(std::size_t count, double fraction, std::size_t least) {
    const auto rounded = static_cast<std::size_t>(std::lround(fraction * double(count)));
    return fraction == 0 ? 0 : std::max(rounded, least);
}

std::map<std::string, SplitPart> deal(const std::set<std::string>& units,
                                      const SplitOptions& options, const char* what) {
    if (units.size() < 2)
        throw ConfigError(fmt::format("cannot split {} labelled {}(s)", units.size(), what),
                          "training and validation need at least one each",
                          std::string("give more data") +
                              (options.mode == SplitMode::object ? " or split by layer" : ""));
    const std::size_t count = units.size();
    const std::size_t validation =
        std::min(share(count, options.validation_fraction, 1), count - 1);
    const double test_fraction = options.mode == SplitMode::official ? 0.0 : options.test_fraction;
    const std::size_t test =
        std::min(share(count, test_fraction, count >= 3 ? 1 : 0), count - 1 - validation);
    std::map<std::string, SplitPart> parts;
    std::size_t next = 0;
    // Sorted before it is shuffled: a unit's part does not depend on the order of the files.
    std::vector<std::string> order(units.begin(), units.end());
    RandomStream stream(options.seed, "data split");
    stream.shuffle(order);
    for (const std::string& unit : order) {
        parts[unit] = next < validation          ? SplitPart::validation
                      : next < validation + test ? SplitPart::test
                                                 : SplitPart::train;
        ++next;
    }
    return parts;
}

bool is_official_test(const SplitLayer& layer) {
    if (contains(official_test_objects(), layer.object)) return true;
    return layer.file.find("_test.") != std::string::npos;
}

/// v1.0 files are told by their names, v1.1 objects by theirs.
void check_official(const SplitLayer& layer) {
    const bool v10 = layer.file.find("_train.") != std::string::npos ||
                     layer.file.find("_test.") != std::string::npos;
    if (v10 || contains(train_objects, layer.object) ||
        contains(official_test_objects(), layer.object))
        return;
    throw ConfigError(fmt::format("object '{}' is not in the official split", layer.object),
                      fmt::format("train is {}; test is {}", fmt::join(train_objects, " "),
                                  fmt::join(official_test_objects(), " ")),
                      "split by layer or by object");
}

}  // namespace

const char* name_of(SplitPart part) { return part_names.at(static_cast<std::size_t>(part)); }

SplitPart split_part_from(const std::string& name) {
    return value_named<SplitPart>(part_names, name, "part",
                                  "use train, validation, test or prediction");
}

const char* name_of(SplitMode mode) { return mode_names.at(static_cast<std::size_t>(mode)); }

SplitMode split_mode_from(const std::string& name) {
    return value_named<SplitMode>(mode_names, name, "split", "use layer, object or official");
}

const std::vector<std::string>& official_test_objects() {
    static const std::vector<std::string> objects = {"C029", "C032", "C035", "C040"};
    return objects;
}

std::vector<SplitPart> split_layers(const std::vector<SplitLayer>& layers,
                                    const SplitOptions& options) {
    check(layers, options);
    const bool official = options.mode == SplitMode::official;
    std::set<std::string> units;
    for (const SplitLayer& layer : layers) {
        if (official) check_official(layer);
        if (layer.labelled && !(official && is_official_test(layer)))
            units.insert(unit_of(layer, options.mode));
    }
    const char* what = options.mode == SplitMode::object ? "object"
                       : official                        ? "training layer"
                                                         : "layer";
    const std::map<std::string, SplitPart> dealt = deal(units, options, what);
    std::vector<SplitPart> parts;
    parts.reserve(layers.size());
    for (const SplitLayer& layer : layers) {
        if (!layer.labelled)
            parts.push_back(SplitPart::prediction);
        else if (official && is_official_test(layer))
            parts.push_back(SplitPart::test);
        else
            parts.push_back(dealt.at(unit_of(layer, options.mode)));
    }
    return parts;
}

}  // namespace edgeloop
