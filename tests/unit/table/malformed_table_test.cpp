// Each mistake in a table or its description is one clear error.
#include "support/made_up_table.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/table/design_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

namespace edgeloop::malformed_table_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MalformedTable : public ::testing::Test {
  protected:
    /// The message about a table, read as the JSON says ("": nothing).
    std::string refused(const std::string& text, const std::string& json = "",
                        const std::vector<std::string>& numbers = {}) {
        write_file_atomic(folder_.path("t.tsv"), text);
        write_file_atomic(folder_.path("t.json"), json);
        return message([&] {
            const TableDescription description =
                json.empty() ? TableDescription() : read_table_description(folder_.path("t.json"));
            (void)DesignTable::read(folder_.path("t.tsv"), description, numbers);
        });
    }

    static std::string message(const std::function<void()>& read) {
        try {
            read();
        } catch (const ConfigError& error) {
            return error.what();
        }
        ADD_FAILURE() << "nothing was refused";
        return {};
    }

    const test::TemporaryFolder folder_;
};

TEST_F(MalformedTable, WithoutDesigns) {
    EXPECT_THAT(refused(""), HasSubstr("is empty"));
    EXPECT_THAT(refused("\n\n"), HasSubstr("is empty"));
    EXPECT_THAT(refused("op\terror\n"), HasSubstr("a heading and no rows"));
    EXPECT_THAT(message([&] { (void)DesignTable::read(folder_.path("none.tsv"), {}); }),
                AllOf(HasSubstr("none.tsv"), HasSubstr("does not exist")));
    EXPECT_THAT(message([&] { (void)DesignTable::read(folder_.root(), {}); }),
                HasSubstr("is a directory"));
}

TEST_F(MalformedTable, WithAHeadingOrRowsThatDoNotFit) {
    EXPECT_THAT(refused("op\t\terror\na\t1\t2\n"), HasSubstr("column 2 has no name"));
    EXPECT_THAT(refused("op\top\terror\na\tb\t2\n"), HasSubstr("column 'op' is there twice"));
    EXPECT_THAT(refused("op\terror\na\t1\nb\n"),
                AllOf(HasSubstr("line 3"), HasSubstr("1 cell"), HasSubstr("the heading has 2")));
    EXPECT_THAT(refused("op\terror\na\t1\t2\nb\t1\n"), HasSubstr("line 2"));
    EXPECT_THAT(refused("op\terror\na\t1\nb\n", R"({"version": 1, "genes": ["op"],
                                                    "counted": ["error"]})"),
                HasSubstr("line 3"))
        << "also where nothing has to be found out about the columns";
}

TEST_F(MalformedTable, WithTextWhereANumberBelongs) {
    EXPECT_THAT(refused("op\terror\na\t1\nb\tbad\n", "", {"error"}),
                AllOf(HasSubstr("line 3"), HasSubstr("column 'error'"), HasSubstr("'bad'")));
    EXPECT_THAT(refused("op\terror\tms\na\t1\t0.5\nb\t2\tslow\n"),
                AllOf(HasSubstr("line 3"), HasSubstr("column 'ms'"), HasSubstr("--genes ms")));
    EXPECT_THAT(refused("op\terror\na\t1\nb\t\n", R"({"version": 1, "measured": ["error"]})"),
                AllOf(HasSubstr("line 3, column 'error'"), HasSubstr("a number is missing")));
    EXPECT_THAT(refused("op\terror\na\t1,5\n", "", {"error"}), HasSubstr("'1,5'"));
    for (const char* value : {"nan", "inf", "-inf"})
        EXPECT_THAT(refused(fmt::format("op\terror\na\t1\nb\t{}\n", value)),
                    AllOf(HasSubstr("line 3, column 'error'"), HasSubstr("is not finite")));
    EXPECT_THAT(refused("op\terror\na\t1e999\n", "", {"error"}), HasSubstr("'1e999'"));
}

TEST_F(MalformedTable, WithDesignsThatDisagree) {
    EXPECT_THAT(refused("op\terror\tms\na\t1\t2\nb\t1\t2\na\t1\t3\n"),
                AllOf(HasSubstr("lines 2 and 4"), HasSubstr("'ms'"), HasSubstr("2 and 3")));
    EXPECT_THAT(refused(test::made_up_table()), HasSubstr("the same design"))
        << "depth and width are not named as genes";
}

TEST_F(MalformedTable, ThatIsCutOffOrDamaged) {
    const std::string whole = folder_.path("whole.tsv.gz"), cut = folder_.path("cut.tsv.gz");
    const std::string text = test::made_up_table();
    gzFile file = gzopen(whole.c_str(), "wb");
    ASSERT_GT(gzwrite(file, text.data(), static_cast<unsigned>(text.size())), 0);
    gzclose(file);
    const std::string bytes = read_file(whole);
    for (const std::size_t kept : {std::size_t{5}, bytes.size() / 2, bytes.size() - 1}) {
        write_file_atomic(cut, bytes.substr(0, kept));
        EXPECT_THAT(message([&] { (void)DesignTable::read(cut, {}); }),
                    HasSubstr("damaged or cut off"))
            << kept << " of " << bytes.size() << " bytes";
    }
    std::string flipped = bytes;
    flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 0x10);
    write_file_atomic(cut, flipped);
    EXPECT_THAT(message([&] { (void)DesignTable::read(cut, {}); }), HasSubstr("cut.tsv.gz"));
}

TEST_F(MalformedTable, WithColumnsThatAreNotThereOrHaveTwoParts) {
    const std::string table = "op\terror\tms\na\t1\t2\n";
    EXPECT_THAT(refused(table, R"({"version": 1, "measured": ["edge_ms"]})"),
                AllOf(HasSubstr("no column 'edge_ms'"), HasSubstr("measured")));
    EXPECT_THAT(refused(table, R"({"version": 1, "genes": ["opp"]})"),
                HasSubstr("did you mean 'op'?"));
    EXPECT_THAT(refused(table, R"({"version": 1, "fidelities": {"loss": {"9": "loss_e9"}}})"),
                HasSubstr("'loss' after 9 epochs"));
    EXPECT_THAT(refused(table, R"({"version": 1, "measured": ["ms"], "counted": ["ms"]})"),
                HasSubstr("is named as measured and as counted"));
    EXPECT_THAT(refused(table, R"({"version": 1, "genes": ["op", "ms"], "counted": ["ms"]})"),
                HasSubstr("is named as a gene and as counted"));
    EXPECT_THAT(refused(table, R"({"version": 1, "genes": ["op", "ms"]})", {"ms"}),
                HasSubstr("as a gene and as an objective or limit"));
    EXPECT_THAT(refused(table, R"({"version": 1, "fidelities": {"ms": {"9": "error"}}})"),
                HasSubstr("give the objective another name"));
    EXPECT_THAT(refused(table, R"({"version": 1, "genes": ["op", "op"]})"),
                HasSubstr("gene 'op' of"));
    EXPECT_THAT(refused("error\tms\n1\t2\n"), HasSubstr("name them with --genes"));
}

TEST_F(MalformedTable, WithGenesThatAreNotOfTheirKind) {
    const auto of_kind = [&](const std::string& value, const std::string& gene) {
        return refused("n\terror\n1\t1\n" + value + "\t2\n",
                       R"({"version": 1, "genes": [{"column": "n", )" + gene + "}]}");
    };
    EXPECT_THAT(of_kind("", R"("kind": "categorical")"), HasSubstr("is missing"));
    EXPECT_THAT(of_kind("big", R"("kind": "ordinal")"),
                AllOf(HasSubstr("line 3, column 'n'"), HasSubstr("list its choices in order")));
    EXPECT_THAT(of_kind("3", R"("kind": "ordinal", "choices": [1, 2])"),
                AllOf(HasSubstr("none of the choices"), HasSubstr("they are 1, 2")));
    EXPECT_THAT(of_kind("1.5", R"("kind": "integer")"), HasSubstr("not whole"));
    EXPECT_THAT(of_kind("big", R"("kind": "real")"), HasSubstr("not a number"));
    EXPECT_THAT(of_kind("0", R"("kind": "log_real")"), HasSubstr("not above 0"));
    EXPECT_THAT(of_kind("2", R"("kind": "integer", "choices": [1, 2])"),
                HasSubstr("a range takes no choices"));
    EXPECT_THAT(of_kind("2", R"("kind": "ordinal", "choices": [1, 2, "2.0"])"),
                HasSubstr("has the choice '2' twice"));
    EXPECT_THAT(of_kind("2", R"("kind": "colour")"),
                AllOf(HasSubstr("unknown kind 'colour'"), HasSubstr("genes[0].kind")));
    std::string many = "name\terror\n";
    for (int i = 0; i <= 10000; ++i) many += fmt::format("design{}\t{}\n", i, i);
    EXPECT_THAT(refused(many), AllOf(HasSubstr("line 10002, column 'name'"),
                                     HasSubstr("more than 10000 different values")));
}

TEST_F(MalformedTable, WithADescriptionThatIsNone) {
    const std::string table = "op\terror\na\t1\n";
    EXPECT_THAT(refused(table, "{"), HasSubstr("t.json"));
    EXPECT_THAT(refused(table, R"({"genes": ["op"]})"), HasSubstr("'version' is missing"));
    EXPECT_THAT(refused(table, R"({"version": 2})"), HasSubstr("only version 1 is known"));
    EXPECT_THAT(refused(table, R"({"version": 1, "gene": ["op"]})"), HasSubstr("genes"));
    EXPECT_THAT(refused(table, R"({"version": 1, "fidelities": {"e": {"x": "error"}}})"),
                HasSubstr("'x' is no number of epochs"));
    EXPECT_THAT(refused(table, R"({"version": 1, "fidelities": {"e": {}}})"),
                HasSubstr("name the column of each number of epochs"));
}

TEST_F(MalformedTable, OptionsThatAreNotUnderstood) {
    TableDescription description;
    add_fidelity("error@12=error_e12", description);
    EXPECT_EQ(description.fidelities.at("error").at(12), "error_e12");
    for (const char* text : {"error", "error=x", "error@12", "error@=x", "@12=x",
                             "error@12=", "error@0=x", "error@1.5=x"})
        EXPECT_THAT(message([&] { add_fidelity(text, description); }),
                    HasSubstr("OBJECTIVE@EPOCHS=COLUMN"))
            << text;
    EXPECT_THAT(message([] { (void)table_gene_from("n:colour"); }),
                HasSubstr("unknown kind 'colour'"));
    EXPECT_EQ(table_gene_from("n").kind, GeneKind::categorical);
    EXPECT_EQ(description_beside("a/t.tsv.gz"), "a/t.json");
    EXPECT_EQ(description_beside("t.tsv"), "t.json");
    EXPECT_EQ(description_beside("t.txt"), "t.txt.json");
}

}  // namespace
}  // namespace edgeloop::malformed_table_test
