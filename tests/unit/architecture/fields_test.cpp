#include "support/places.hpp"
#include "unit/architecture/field_walk.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace edgeloop::fields_test {
namespace {

std::string range_of(const Field& field) {
    const auto between = [](Bounds bounds) {
        return fmt::format("{:.7g} to {:.7g}", bounds.low, bounds.high);
    };
    if (!field.choices.empty()) return fmt::format("{}", fmt::join(field.choices, ", "));
    if (std::holds_alternative<Field::Objects>(field.member)) return between(field.length);
    if (std::holds_alternative<std::vector<int>*>(field.member))
        return between(field.length) + " numbers, " + between(field.range);
    if (const auto* numbers = std::get_if<Field::Numbers>(&field.member))
        return fmt::format("{} numbers, {}", numbers->count, between(field.range));
    return between(field.range);
}

std::string default_of(const Field& field) {
    if (!field.has_default()) return "";
    const Json value = field.write();
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string rows_of(const std::vector<Field>& fields, const std::string& prefix) {
    std::string rows;
    for (const Field& field : fields) {
        rows += fmt::format("| `{}{}` | {} | {} | {} |\n", prefix, field.name, default_of(field),
                            range_of(field), field.meaning);
        if (const auto* list = std::get_if<Field::Objects>(&field.member)) {
            list->resize(1);
            rows += rows_of(list->at(0), prefix + field.name + "[].");
        }
    }
    return rows;
}

std::string table_of(const std::vector<Field>& fields, const std::string& title) {
    return fmt::format("| {} | default | range | |\n| --- | --- | --- | --- |\n{}", title,
                       rows_of(fields, ""));
}

TEST(Fields, AreWhatTheReadmeSays) {
    const std::string readme =
        read_file(test::in_source("src/architecture/README.md"), std::uint64_t{1} << 20);
    ClipShape clip;
    TrainingRecipe training;
    Quantisation quantisation;
    LowRank low_rank;
    Hardware hardware;
    std::vector<std::string> tables{
        table_of(clip.fields(), "`clip`"), table_of(training.fields(), "`training`"),
        table_of(quantisation.fields(), "`quantisation`"),
        table_of(low_rank.fields(), "`low_rank`"), table_of(hardware.fields(), "`hardware`")};
    for (AnyFamily network : families())
        tables.push_back(
            table_of(fields_of(network), fmt::format("`architecture` of {}", name_of(network))));
    for (const std::string& table : tables)
        EXPECT_NE(readme.find(table), std::string::npos) << "put there:\n\n" << table;
}

TEST(Fields, EveryRangeIsWhatSpecsMayHave) {
    int inside = 0, outside = 0;
    for (const test::FieldCase& one : test::field_cases()) {
        SCOPED_TRACE(one.path + " = " + one.value.dump().substr(0, 100));
        ++(one.is_inside ? inside : outside);
        if (one.is_inside)
            EXPECT_NO_THROW((void)ArchitectureSpec::from_json(one.spec, "spec"));
        else
            EXPECT_THROW((void)ArchitectureSpec::from_json(one.spec, "spec"), ConfigError);
    }
    EXPECT_GT(inside, 100);
    EXPECT_GT(outside, 100);
}

TEST(Fields, AFamilyIsKnownByItsNameOnce) {
    ASSERT_GE(families().size(), 3u);
    for (const AnyFamily& network : families())
        EXPECT_EQ(family_named(name_of(network), Place("test")).index(), network.index());
}

}  // namespace
}  // namespace edgeloop::fields_test
