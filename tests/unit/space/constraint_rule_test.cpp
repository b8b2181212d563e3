#include "space/constraint_rule.hpp"

#include "edgeloop/core/error.hpp"

#include <map>

#include <gtest/gtest.h>

namespace edgeloop::constraint_rule_test {
namespace {

bool holds(const std::string& text, const std::map<std::string, double>& values = {}) {
    return ConstraintRule::parse(text, Place("rules"))
        .holds([&](const std::string& name) -> std::optional<double> {
            const auto found = values.find(name);
            return found == values.end() ? std::nullopt : std::optional<double>(found->second);
        });
}

TEST(ConstraintRule, FollowsThePrecedenceOfArithmetic) {
    EXPECT_TRUE(holds("1 + 2 * 3 == 7"));
    EXPECT_TRUE(holds("(1 + 2) * 3 == 9"));
    EXPECT_TRUE(holds("10 - 2 - 3 == 5"));
    EXPECT_TRUE(holds("-2 * -3 == 6"));
    EXPECT_TRUE(holds("7 % 4 + 0.5 == 3.5"));
    EXPECT_TRUE(holds("1e3/10 == 100"));
}

TEST(ConstraintRule, KnowsSixRelations) {
    EXPECT_TRUE(holds("1 < 2"));
    EXPECT_FALSE(holds("2 < 2"));
    EXPECT_TRUE(holds("2 <= 2"));
    EXPECT_TRUE(holds("3 > 2"));
    EXPECT_TRUE(holds("2 >= 2"));
    EXPECT_TRUE(holds("2 != 3"));
    EXPECT_FALSE(holds("2 == 3"));
}

TEST(ConstraintRule, LooksUpDottedNames) {
    const std::map<std::string, double> values{{"a.embed_dim", 48}, {"a.heads.0", 3}};
    EXPECT_TRUE(holds("a.embed_dim % a.heads.0 == 0", values));
    EXPECT_FALSE(holds("a.embed_dim % (a.heads.0 + 2) == 0", values));
}

TEST(ConstraintRule, DoesNotApplyWhereANameIsAbsent) { EXPECT_TRUE(holds("gone < 0")); }

TEST(ConstraintRule, DivisionByZeroBreaksIt) {
    EXPECT_FALSE(holds("1 / 0 > 0"));
    EXPECT_FALSE(holds("1 % 0 != 0"));
}

TEST(ConstraintRule, RejectsWhatIsNotARule) {
    const std::vector<std::string> malformed{"",
                                             "1",
                                             "1 <",
                                             "< 1",
                                             "1 = 1",
                                             "a b < 1",
                                             "(1 < 2",
                                             "1 < 2)",
                                             "1 ** 2 < 3",
                                             "1 < 2 < 3",
                                             "a$ < 1",
                                             std::string(10000, '(') + "1",
                                             std::string(10000, '-') + "1 < 2",
                                             std::string(4000000, ' ') + "1 < 2"};
    std::string long_sum = "1";
    for (int i = 0; i < 1500000; ++i) long_sum += "+1";
    EXPECT_THROW((void)ConstraintRule::parse(long_sum + " > 0", Place("rules")), ConfigError);
    for (const std::string& text : malformed)
        EXPECT_THROW((void)ConstraintRule::parse(text, Place("rules")), ConfigError) << text;
}

}  // namespace
}  // namespace edgeloop::constraint_rule_test
