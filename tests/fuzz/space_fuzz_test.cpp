#include "edgeloop/architecture/static_rules.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/shipped.hpp"
#include "edgeloop/evolution/variation.hpp"
#include "edgeloop/space/search_space.hpp"

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

std::vector<std::string> space_names() {
    std::vector<std::string> names;
    for (const ShippedFile& file : shipped_spaces()) names.emplace_back(file.name);
    return names;
}

std::string as_identifier(std::string name) {
    for (char& c : name)
        if (c == '-') c = '_';
    return name;
}

class EverySpace : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Shipped, EverySpace, testing::ValuesIn(space_names()),
                         [](const auto& i) { return as_identifier(i.param); });

/// Decodes or has a reason; what decodes has no static problem and equal identities mean equal
/// text.
class GenomeChecker {
  public:
    explicit GenomeChecker(const SearchSpace& space) : space_(space) {}

    void check(const Genome& genome) {
        Genome canonical = genome;
        space_.canonicalise(canonical);
        ASSERT_EQ(canonical, genome) << "outside the space";
        if (const auto problem = space_.infeasibility(genome)) {
            ASSERT_FALSE(problem->empty());
            return;
        }
        const ArchitectureSpec spec = space_.decode(genome);
        ASSERT_EQ(static_problem(Design(spec)), std::nullopt);
        ASSERT_EQ(spec.identity(), space_.identity(genome));
        const auto [known, is_new] = texts_.emplace(spec.identity(), spec.canonical());
        ASSERT_EQ(known->second, spec.canonical());
        ++feasible;
    }

    int feasible = 0;

  private:
    const SearchSpace& space_;
    std::map<Digest, std::string> texts_;
};

/// 10 000 keep the test short; EDGELOOP_FUZZ_GENOMES=100000 is the long run.
int genomes_to_try() {
    const char* wanted = std::getenv("EDGELOOP_FUZZ_GENOMES");
    return wanted == nullptr ? 10000 : std::atoi(wanted);
}

TEST_P(EverySpace, DecodesOrRejectsRandomGenomesAndTheirChildren) {
    const int pairs = genomes_to_try() / 4;  // each gives two parents and two children
    const SearchSpace space = SearchSpace::from_file(GetParam());
    RandomStream random(1, GetParam());
    GenomeChecker checker(space);
    VariationSettings settings;
    settings.mutation_probability = 0.2;
    for (int i = 0; i < pairs; ++i) {
        const Genome a = space.sample(random), b = space.sample(random);
        const auto [c, d] = vary(space, a, b, settings, random);
        for (const Genome* genome : {&a, &b, &c, &d}) {
            checker.check(*genome);
            if (HasFatalFailure()) return;
        }
    }
    EXPECT_GT(checker.feasible, pairs);
}

/// Every value of a JSON document, as pointers.
void collect(const Json& json, const Json::json_pointer& at,
             std::vector<Json::json_pointer>& places) {
    places.push_back(at);
    if (json.is_object())
        for (const auto& item : json.items()) collect(item.value(), at / item.key(), places);
    if (json.is_array())
        for (std::size_t i = 0; i < json.size(); ++i) collect(json[i], at / i, places);
}

const std::vector<Json> hostile{nullptr,
                                true,
                                -1,
                                0,
                                1e9,
                                1e300,
                                0.5,
                                "",
                                "a..b.",
                                "stages",
                                Json::array(),
                                Json::object(),
                                Json::array({Json::array()}),
                                {{"min", 5}},
                                std::string(3000, '('),
                                "1 / 0 == 1",
                                "architecture",
                                Json(std::vector<int>(2000, 1))};

/// One or two random edits: a hostile value, a removed member, another part of the same document.
Json damaged(const Json& original, RandomStream& random) {
    Json json = original;
    for (std::uint64_t edits = 1 + random.below(2); edits > 0; --edits) {
        std::vector<Json::json_pointer> places;
        collect(json, Json::json_pointer(), places);
        const auto& place = places[random.below(places.size())];
        const auto& other = places[random.below(places.size())];
        switch (random.below(3)) {
            case 0:
                json[place] = hostile[random.below(hostile.size())];
                break;
            case 1:
                if (place.empty()) break;
                if (json[place.parent_pointer()].is_object())
                    json[place.parent_pointer()].erase(place.back());
                break;
            default: {
                const Json copy = json[other];
                json[place] = copy;
            }
        }
    }
    return json;
}

TEST_P(EverySpace, DamagedSpaceFilesAreAcceptedOrRefusedWithAPlace) {
    std::string text;
    for (const ShippedFile& file : shipped_spaces())
        if (file.name == GetParam()) text = file.text;
    const Json original = Json::parse(text);
    RandomStream random(2, GetParam());
    int refused = 0;
    for (int trial = 0; trial < 1500; ++trial) {
        const Json json = damaged(original, random);
        try {
            const SearchSpace space = SearchSpace::from_json(json, "damaged.json");
            for (int i = 0; i < 3; ++i) (void)space.identity(space.sample(random));
        } catch (const ConfigError& error) {
            ++refused;
            ASSERT_NE(std::string(error.what()).find("damaged.json"), std::string::npos)
                << error.what();
        }
    }
    EXPECT_GT(refused, 300);
}

TEST(Specs, DamagedSpecsAreAcceptedOrRefusedWithAPlace) {
    RandomStream random(3, "specs");
    ASSERT_FALSE(shipped_specs().empty());
    for (const ShippedFile& file : shipped_specs()) {
        const Json original = Json::parse(file.text);
        for (int trial = 0; trial < 5000; ++trial) {
            try {
                const auto spec =
                    ArchitectureSpec::from_json(damaged(original, random), "damaged.json");
                (void)static_problem(Design(spec));
            } catch (const ConfigError& error) {
                ASSERT_EQ(std::string(error.what()).rfind("damaged.json", 0), 0u) << error.what();
            }
        }
    }
}

TEST(SpaceText, TruncatedOrFlippedTextNeverBreaksTheReader) {
    const std::string text = shipped_spaces().front().text;
    RandomStream random(4, "text");
    for (int trial = 0; trial < 2000; ++trial) {
        std::string broken = text.substr(0, random.below(text.size()));
        if (random.chance(0.5)) {
            broken = text;
            broken[random.below(broken.size())] = static_cast<char>(random.below(256));
        }
        try {
            (void)SearchSpace::from_json(parse_json(broken, "broken.json"), "broken.json");
        } catch (const ConfigError&) {
        }
    }
}

}  // namespace
}  // namespace edgeloop
