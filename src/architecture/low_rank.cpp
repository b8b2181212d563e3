#include "edgeloop/architecture/low_rank.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

void check(const TensorForm& form, const std::vector<std::string>& formats, const Place& place) {
    if (form.is_dense()) return;
    if (std::find(formats.begin(), formats.end(), form.format) == formats.end())
        throw ConfigError(fmt::format("{}: these layers have no format '{}'",
                                      (place / "format").text(), form.format),
                          {},
                          formats.empty() ? "they are dense"
                                          : fmt::format("use dense, {}", fmt::join(formats, ", ")));
    if (form.rank_target > form.rank_max)
        throw ConfigError(fmt::format("{}: {} is above rank_max {}", (place / "rank_target").text(),
                                      form.rank_target, form.rank_max),
                          "ranks start at rank_max and only become smaller");
}

std::size_t bonds(const TensorForm& form, const TensorLayer& layer) {
    return max_ranks(form.format, layer, form.rank_max).size();
}

/// One list of ranks holds those of all layers of its group.
void check_ranks(const TensorForm& form, const std::vector<TensorLayer>& layers, std::size_t group,
                 const Place& place) {
    if (form.ranks.empty()) return;
    std::size_t next = 0;
    for (const TensorLayer& layer : layers) {
        if (layer.group != group) continue;
        for (const int largest : max_ranks(form.format, layer, TensorForm::most)) {
            if (next < form.ranks.size() && form.ranks[next] > largest)
                throw ConfigError(fmt::format("{}: {} is above {}, the largest that '{}' can use",
                                              (place / next).text(), form.ranks[next], largest,
                                              layer.name));
            ++next;
        }
    }
    if (next != form.ranks.size())
        throw ConfigError(fmt::format("{}: {} ranks, but these layers have {}", place.text(),
                                      form.ranks.size(), next),
                          {}, "leave ranks out to have them found");
}

void settle_form(TensorForm& form, bool adapts) {
    const TensorForm defaults;
    if (form.is_dense()) {
        form = defaults;
        return;
    }
    if (form.ranks.empty()) {
        if (!adapts) form.rank_target = defaults.rank_target;
        return;
    }
    form.rank_max = defaults.rank_max;
    form.rank_target = defaults.rank_target;
}

}  // namespace

std::vector<Field> TensorForm::fields() {
    return {
        {"format", format, {"dense", "tt", "tucker2", "cp", "ttm"}, "of the weights"},
        {"rank_max", rank_max, {1, most}, "largest rank to start with"},
        {"rank_target",
         rank_target,
         {0, most},
         "size to reach: that of all ranks this large; 0: none"},
        {"ranks", ranks, {0, 4096}, {1, most}, "final ones; empty: to be found in training"},
    };
}

std::vector<Field> LowRank::fields() {
    return {
        {"adaptation",
         adaptation,
         {"diagonal", "log-uniform", "half-cauchy", "none"},
         "how ranks are found"},
        {"adapt_share", adapt_share, {0, 1}, "of the epochs, after which ranks are final"},
        {"strength", strength, {0, 1e6}, "of what makes ranks smaller"},
        {"stages", stages, {1, 64}, "for each stage"},
    };
}

TensorForm LowRank::form_of(std::size_t group) const {
    if (is_dense()) return {};
    return group == TensorLayer::dense ? dense : stages.at(group);
}

bool LowRank::adapts() const {
    if (adaptation == "none") return false;
    return dense.is_open() || std::any_of(stages.begin(), stages.end(),
                                          [](const TensorForm& form) { return form.is_open(); });
}

int LowRank::adaptive_epochs(int epochs, int then) const {
    if (!adapts()) return 0;
    const auto wanted = static_cast<int>(std::lround(adapt_share * epochs));
    return std::clamp(wanted, std::min(1, epochs - then), std::max(0, epochs - then));
}

std::optional<std::string> LowRank::problem(const Quantisation& quantisation) const {
    if (quantisation.is_float()) return std::nullopt;
    constexpr const char* why =
        "{} is in the format {} and quantised; give it bits of 32, or make it dense";
    for (std::size_t i = 0; i < stages.size(); ++i)
        if (!stages[i].is_dense() && !quantisation.of_stage(i).is_float())
            return fmt::format(why, fmt::format("stage {}", i), stages[i].format);
    if (!dense.is_dense() && !quantisation.of_dense().is_float())
        return fmt::format(why, "the dense group", dense.format);
    return std::nullopt;
}

void LowRank::settle(bool has_dense) {
    if (!has_dense) dense = TensorForm();
    const bool finds = adapts();
    for (TensorForm& form : stages) settle_form(form, finds);
    settle_form(dense, finds);
    const LowRank defaults;
    if (!finds) {
        const bool any_open =
            dense.is_open() || std::any_of(stages.begin(), stages.end(),
                                           [](const TensorForm& form) { return form.is_open(); });
        if (!any_open) adaptation = defaults.adaptation;
        adapt_share = defaults.adapt_share;
        strength = defaults.strength;
    }
    if (dense.is_dense() && std::all_of(stages.begin(), stages.end(),
                                        [](const TensorForm& form) { return form.is_dense(); }))
        *this = defaults;
}

LowRank low_rank_from(const Json& json, const Place& place) {
    const ObjectReader reader(json, place,
                              {"adaptation", "adapt_share", "strength", "stages", "dense"});
    LowRank read;
    Json lists = json;
    lists.erase("dense");
    read_fields(read.fields(), lists, place);
    if (reader.has("dense"))
        read_fields(read.dense.fields(), reader.member("dense"), reader.place("dense"));
    return read;
}

Json to_json(LowRank low_rank) {
    Json json = write_fields(low_rank.fields());
    json["dense"] = write_fields(low_rank.dense.fields());
    return json;
}

void check_low_rank(const LowRank& low_rank, const TensorFormats& formats,
                    const std::vector<TensorLayer>& layers, std::size_t stages,
                    const Place& place) {
    if (low_rank.is_dense()) return;
    if (low_rank.stages.size() != stages)
        throw ConfigError(fmt::format("{}: {} stages but the network has {}",
                                      (place / "stages").text(), low_rank.stages.size(), stages));
    for (std::size_t i = 0; i < low_rank.stages.size(); ++i) {
        const Place own = place / "stages" / i;
        check(low_rank.stages[i], formats.stages, own);
        check_ranks(low_rank.stages[i], layers, i, own / "ranks");
    }
    check(low_rank.dense, formats.dense, place / "dense");
    check_ranks(low_rank.dense, layers, TensorLayer::dense, place / "dense" / "ranks");
}

std::vector<Ranks> ranks_of(const LowRank& low_rank, const std::vector<TensorLayer>& layers) {
    std::vector<Ranks> all;
    std::map<std::size_t, std::size_t> taken;  // of a group's list
    for (const TensorLayer& layer : layers) {
        const TensorForm form = low_rank.form_of(layer);
        if (form.is_dense()) continue;
        Ranks ranks = max_ranks(form.format, layer, form.rank_max);
        if (!form.ranks.empty())
            for (int& rank : ranks) rank = form.ranks.at(taken[layer.group]++);
        all.push_back(std::move(ranks));
    }
    return all;
}

FactoredLayers factored_layers(const LowRank& low_rank, const std::vector<TensorLayer>& layers) {
    FactoredLayers factored;
    const std::vector<Ranks> ranks = ranks_of(low_rank, layers);
    std::size_t next = 0;
    for (const TensorLayer& layer : layers) {
        const TensorForm form = low_rank.form_of(layer);
        if (!form.is_dense()) factored[layer.name] = {layer, form.format, ranks[next++]};
    }
    return factored;
}

const FactoredLayer* factored_as(const FactoredLayers& factored, const std::string& name) {
    const auto found = factored.find(name);
    return found == factored.end() ? nullptr : &found->second;
}

LowRank with_ranks(LowRank low_rank, const std::vector<TensorLayer>& layers,
                   const std::vector<Ranks>& ranks) {
    std::map<std::size_t, std::vector<int>> lists;
    std::size_t next = 0;
    for (const TensorLayer& layer : layers) {
        const TensorForm form = low_rank.form_of(layer);
        if (form.is_dense()) continue;
        const Ranks& own = ranks.at(next++);
        EDGELOOP_EXPECT(own.size() == bonds(form, layer), "ranks of another layer");
        std::vector<int>& list = lists[layer.group];
        list.insert(list.end(), own.begin(), own.end());
    }
    for (const auto& [group, list] : lists)
        (group == TensorLayer::dense ? low_rank.dense : low_rank.stages.at(group)).ranks = list;
    low_rank.settle(true);
    return low_rank;
}

}  // namespace edgeloop
