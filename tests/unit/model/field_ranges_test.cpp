// One description of every limit: space, counts and networks accept and refuse the same.

#include "model/network.hpp"
#include "unit/architecture/field_walk.hpp"

#include "edgeloop/architecture/static_rules.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/space/search_space.hpp"

#include <gtest/gtest.h>

namespace edgeloop::field_ranges_test {
namespace {

template <class Action>
bool refuses(const Action& action) {
    try {
        action();
        return false;
    } catch (const ConfigError&) {
        return true;
    }
}

/// A space whose only design has this value.
bool space_refuses(const test::FieldCase& one) {
    const Json variable{{"name", "value"},
                        {"path", one.path},
                        {"kind", "categorical"},
                        {"choices", Json::array({one.value})}};
    const Json json{{"version", 1},
                    {"name", "one"},
                    {"base", one.spec},
                    {"variables", Json::array({variable})}};
    const SearchSpace space = SearchSpace::from_json(json, "space");
    return space.infeasibility(Genome{{0}}).has_value();
}

/// The spec as a program may put it together itself, without the checks of from_json().
ArchitectureSpec unchecked(const Json& json) {
    ArchitectureSpec spec;
    spec.family = json["family"];
    spec.architecture = json["architecture"];
    spec.clip = {json["clip"]["frames"], 1, json["clip"]["side"]};
    return spec;
}

TEST(FieldRanges, AreTheSameForSpaceCountsAndNetworks) {
    constexpr std::int64_t max_bytes = 8 << 20;  // of weights of networks that are built here
    int accepted = 0, refused = 0;
    for (const test::FieldCase& one : test::field_cases()) {
        SCOPED_TRACE(one.path + " = " + one.value.dump().substr(0, 100));
        if (!one.is_inside) {
            ++refused;
            EXPECT_TRUE(space_refuses(one));
            if (one.path.rfind("architecture", 0) != 0) continue;
            EXPECT_TRUE(refuses([&] { (void)count(unchecked(one.spec)); }));
            EXPECT_TRUE(refuses([&] { (void)make_network(unchecked(one.spec), 1); }));
            continue;
        }
        const ArchitectureSpec spec = ArchitectureSpec::from_json(one.spec, "spec");
        EXPECT_EQ(space_refuses(one), static_problem(Design(spec)).has_value());
        const bool is_refused = refuses([&] { (void)count(spec); });
        if (!is_refused && count(spec).weight_bytes > max_bytes) continue;
        ++(is_refused ? refused : accepted);
        EXPECT_EQ(refuses([&] { (void)make_network(spec, 1); }), is_refused);
    }
    EXPECT_GT(accepted, 80);
    EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace edgeloop::field_ranges_test
