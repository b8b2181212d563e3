#include "edgeloop/table/design_table.hpp"

#include "support/made_up_table.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/table/outcomes.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

namespace edgeloop::design_table_test {
namespace {

using test::made_up_description;
using test::made_up_table;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DesignTableTest : public ::testing::Test {
  protected:
    DesignTable read(const std::string& text, const TableDescription& description = {},
                     const std::vector<std::string>& numbers = {}) {
        write_file_atomic(path(), text);
        return DesignTable::read(path(), description, numbers);
    }
    TableDescription described(const std::string& json) {
        write_file_atomic(folder_.path("t.json"), json);
        return read_table_description(folder_.path("t.json"));
    }
    [[nodiscard]] std::string path() const { return folder_.path("t.tsv"); }

    const test::TemporaryFolder folder_;
};

std::vector<std::string> choices(const Variable& variable) {
    std::vector<std::string> texts;
    for (const Json& choice : variable.choices) texts.push_back(choice.get<std::string>());
    return texts;
}

std::vector<std::string> names(const DesignTable& table, Source source) {
    std::vector<std::string> found;
    for (const TableMetric& metric : table.metrics())
        if (metric.source == source) found.push_back(metric.name);
    return found;
}

Candidate candidate(std::vector<double> genes, int epochs = 0) {
    Candidate made;
    made.id = 7;
    made.genome.genes = std::move(genes);
    made.epochs = epochs;
    return made;
}

TEST_F(DesignTableTest, ADescriptionSaysWhatEachColumnIs) {
    const DesignTable table = read(made_up_table(), described(made_up_description()));
    EXPECT_EQ(table.size(), 81U);
    EXPECT_EQ(table.space().size(), 81);
    ASSERT_EQ(table.space().variables().size(), 4U);
    EXPECT_THAT(choices(table.space().variables()[0]), ElementsAre("conv1", "conv3", "none"));
    EXPECT_EQ(table.space().variables()[3].kind, GeneKind::ordinal);
    EXPECT_THAT(choices(table.space().variables()[3]), ElementsAre("8", "16", "32"));
    EXPECT_THAT(names(table, Source::training), ElementsAre("error"));
    EXPECT_THAT(names(table, Source::measuring), ElementsAre("edge_ms"));
    EXPECT_THAT(names(table, Source::design), ElementsAre("parameters"));
}

TEST_F(DesignTableTest, WithoutADescriptionColumnsOfTextAndThoseNamedAreGenes) {
    TableDescription description;
    description.more_genes = {table_gene_from("depth:ordinal"), table_gene_from("width")};
    const DesignTable table = read(made_up_table(), description);
    ASSERT_EQ(table.space().variables().size(), 4U);
    EXPECT_EQ(table.space().variables()[2].kind, GeneKind::ordinal);
    EXPECT_EQ(table.space().variables()[3].kind, GeneKind::categorical);
    EXPECT_THAT(names(table, Source::training),
                ElementsAre("error_e12", "error_e200", "edge_ms", "parameters", "s"));
}

TEST_F(DesignTableTest, EveryDesignHasTheValuesOfItsRow) {
    const DesignTable table = read(made_up_table(), described(made_up_description()));
    const SearchSpace& space = table.space();
    std::set<std::size_t> rows;
    for (double op0 = 0; op0 < 3; ++op0)
        for (double op1 = 0; op1 < 3; ++op1)
            for (double depth = 0; depth < 3; ++depth)
                for (double width = 0; width < 3; ++width) {
                    const Candidate one = candidate({op0, op1, depth, width}, 12);
                    const auto row = table.find(one.genome);
                    ASSERT_TRUE(row);
                    rows.insert(*row);
                    const auto texts = space.describe(one.genome);
                    const auto share = [](const std::string& op) {
                        return op == "none" ? 0.1 : op == "conv1" ? 1.0 : 3.0;
                    };
                    const double a0 = share(texts[0]), a1 = share(texts[1]);
                    const double deep = std::stod(texts[2]);
                    const double work = deep * (a0 + a1) * std::stod(texts[3]) / 8;
                    const double error = 5 + 60 / (1 + std::pow(work, 0.7)) + a0 / 10;
                    EXPECT_NEAR(trained_by(table, one).metrics.at("error"),
                                error + 12 * std::sqrt(deep), 1e-4);
                    EXPECT_NEAR(trained_by(table, candidate(one.genome.genes)).metrics.at("error"),
                                error, 1e-4)
                        << "0 epochs are the most that there are";
                    EXPECT_NEAR(measured_by(table, one).metrics.at("edge_ms"), 0.2 + work / 20,
                                1e-4);
                }
    EXPECT_EQ(rows.size(), 81U);
}

TEST_F(DesignTableTest, PartsDeliverWhatIsTheirs) {
    const DesignTable table = read(made_up_table(), described(made_up_description()));
    const Candidate one = candidate({0, 0, 2, 2}, 200);
    EXPECT_EQ(trained_by(table, one).metrics.size(), 1U);
    EXPECT_EQ(measured_by(table, one).metrics.size(), 1U);
    EXPECT_EQ(measured_by(table, one).id, 7U);
    EXPECT_EQ(counted_by(table, one).at("parameters"), 4 * 32 * 32 * 3);
    EXPECT_EQ(trained_by(table, candidate({0, 0, 2, 2}, 50)).metrics.size(), 0U)
        << "there is no column for 50 epochs";
    EXPECT_EQ(training_seconds_by(table, one), 200 * 2.0);
    Candidate promoted = one;
    promoted.trained_epochs = 12;
    EXPECT_EQ(training_seconds_by(table, promoted), 188 * 2.0);
}

TEST_F(DesignTableTest, ADesignThatIsNotThereIsInfeasibleAndSaysSo) {
    const DesignTable table = read("op\tn\terror\na\t1\t0.5\nb\t2\t0.25\n",
                                   described(R"({"version": 1, "genes": ["op", "n"]})"));
    EXPECT_EQ(table.space().size(), 4);
    EXPECT_EQ(table.size(), 2U);
    const Outcome outcome = trained_by(table, candidate({0, 1}));
    EXPECT_EQ(outcome.status, Status::infeasible);
    EXPECT_THAT(outcome.reason, HasSubstr("not in the table"));
    EXPECT_EQ(measured_by(table, candidate({0, 1})).status, Status::infeasible);
    EXPECT_TRUE(counted_by(table, candidate({0, 1})).empty());
    EXPECT_EQ(trained_by(table, candidate({1, 1})).metrics.at("error"), 0.25);
}

TEST_F(DesignTableTest, NumbersOfGenesAreInTheirOrderAndChoicesAsListed) {
    const DesignTable table =
        read("n\tsize\terror\n10\tlarge\t1\n9\tsmall\t2\n9.0\tmiddle\t3\n",
             described(R"({"version": 1, "genes": [{"column": "n", "kind": "ordinal"},
                 {"column": "size", "kind": "ordinal", "choices": ["small", "middle", "large"]}]})"));
    EXPECT_THAT(choices(table.space().variables()[0]), ElementsAre("9", "10"))
        << "9 and 9.0 are one number";
    EXPECT_THAT(choices(table.space().variables()[1]), ElementsAre("small", "middle", "large"));
    EXPECT_EQ(trained_by(table, candidate({0, 1})).metrics.at("error"), 3);
}

TEST_F(DesignTableTest, GenesThatAreNumbersLookUpTheirValue) {
    const DesignTable table =
        read("n\trate\terror\n1\t0.001\t1\n4\t0.1\t2\n4\t0.001\t3\n",
             described(R"({"version": 1, "genes": [{"column": "n", "kind": "integer"},
                           {"column": "rate", "kind": "log_real"}]})"));
    EXPECT_EQ(table.space().variables()[0].lower, 1);
    EXPECT_EQ(table.space().variables()[0].upper, 4);
    EXPECT_EQ(trained_by(table, candidate({4, 0.1})).metrics.at("error"), 2);
    EXPECT_EQ(trained_by(table, candidate({4, 0.009})).metrics.at("error"), 3)
        << "the nearest rate, by its logarithm";
    EXPECT_EQ(trained_by(table, candidate({4, 0.011})).metrics.at("error"), 2);
    EXPECT_EQ(trained_by(table, candidate({2, 0.001})).status, Status::infeasible)
        << "no row has n 2";
}

TEST_F(DesignTableTest, EqualRowsAreOneDesignAndAGeneMayHaveOneValue) {
    const DesignTable table = read("op\tone\terror\na\tx\t1\nb\tx\t2\na\tx\t1\n");
    EXPECT_EQ(table.size(), 2U);
    EXPECT_EQ(table.column(0), (std::vector<double>{1, 2}));
    EXPECT_EQ(table.space().size(), 2);
    EXPECT_EQ(trained_by(table, candidate({1, 0})).metrics.at("error"), 2);
}

TEST_F(DesignTableTest, TheSpaceIsThatOfGenesAndChoicesAndTheDigestThatOfTheTable) {
    const DesignTable one = read("op\terror\na\t1\nb\t2\n");
    const DesignTable other = read("op\terror\nb\t3\na\t1\n");
    EXPECT_EQ(one.space().identity(), other.space().identity());
    EXPECT_NE(one.digest(), other.digest());
    EXPECT_NE(one.space().identity(), read("op\terror\na\t1\nc\t2\n").space().identity());
    TableDescription ordered;
    ordered.genes = {{"op", GeneKind::ordinal, {"a", "b"}}};
    EXPECT_NE(read("op\terror\na\t1\nb\t2\n", ordered).space().identity(), one.space().identity());
    TableDescription measured;
    measured.measured = {"error"};
    EXPECT_NE(read("op\terror\na\t1\nb\t2\n", measured).digest(), one.digest());
}

TEST_F(DesignTableTest, WindowsLineEndsBlanksAMarkAndCompressionDoNotMatter) {
    const DesignTable plain = read(made_up_table(), described(made_up_description()));
    const DesignTable windows =
        read("\xEF\xBB\xBF" + made_up_table(" \r\n") + "\r\n", described(made_up_description()));
    const std::string text = made_up_table();
    gzFile file = gzopen(folder_.path("t.tsv.gz").c_str(), "wb");
    ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())), int(text.size()));
    gzclose(file);
    const DesignTable compressed =
        DesignTable::read(folder_.path("t.tsv.gz"), described(made_up_description()));
    EXPECT_EQ(compressed.digest(), plain.digest());
    for (std::size_t column = 0; column < 5; ++column) {
        EXPECT_EQ(windows.column(column), plain.column(column));
        EXPECT_EQ(compressed.column(column), plain.column(column));
    }
    EXPECT_EQ(windows.space().identity(), plain.space().identity());
}

TEST_F(DesignTableTest, AnyNumberOfRows) {
    std::string text = "a\tb\tc\terror\tlatency\n";
    for (int a = 0; a < 60; ++a)
        for (int b = 0; b < 60; ++b)
            for (int c = 0; c < 60; ++c)
                text += fmt::format("a{}\tb{}\t{}\t{}\t{}\n", a, b, c, a + 0.1 * b + c, 60.5 - a);
    TableDescription description;
    description.more_genes = {{"c", GeneKind::ordinal}};
    const DesignTable table = read(text, description);
    EXPECT_EQ(table.size(), 216000U);
    const auto& variables = table.space().variables();
    const auto place = [&](std::size_t gene, const std::string& choice) {
        const auto texts = choices(variables[gene]);
        return double(std::find(texts.begin(), texts.end(), choice) - texts.begin());
    };
    EXPECT_EQ(
        trained_by(table, candidate({place(0, "a7"), place(1, "b30"), 59})).metrics.at("error"),
        7 + 0.1 * 30 + 59);
}

}  // namespace
}  // namespace edgeloop::design_table_test
