#include "edgeloop/core/csv.hpp"

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::csv_test {
namespace {

using ::testing::ElementsAre;

TEST(Csv, QuotesOnlyWhatNeedsIt) {
    EXPECT_EQ(csv_cell(""), "");
    EXPECT_EQ(csv_cell("plain text"), "plain text");
    EXPECT_EQ(csv_cell("a, b"), "\"a, b\"");
    EXPECT_EQ(csv_cell("say \"no\""), "\"say \"\"no\"\"\"");
    EXPECT_EQ(csv_cell("\u00fcber"), "\u00fcber");
}

TEST(Csv, ARowIsALineWhateverTheTextIs) {
    EXPECT_EQ(csv_cell("one\r\ntwo\x1b[31m"), "one\\u{d}\\u{a}two\\u{1b}[31m");
}

TEST(Csv, NoTextIsAFormula) {
    for (const std::string text : {"=1+1", "=cmd|' /C calc'!A0", "+x", "-x", "@SUM(A1)", "-1+1",
                                   "+5", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"})
        EXPECT_EQ(csv_cell(text), "'" + text);
    EXPECT_EQ(csv_cell("=a,b"), "\"'=a,b\"");
    EXPECT_EQ(csv_cell("'=1"), "''=1") << "or it would be read back as =1";
    EXPECT_EQ(csv_cell("\t=1")[0], '\\') << "no control character is left to hide behind";
    EXPECT_EQ(csv_cell("\r=1")[0], '\\');
}

TEST(Csv, NumbersStayNumbers) {
    for (const char* number : {"-1.5", "-1e-07", "-inf", "nan", "0", "12"})
        EXPECT_EQ(csv_cell(number), number);
    EXPECT_EQ(csv_cell("'-1"), "'-1");
    EXPECT_EQ(csv_cell("it's"), "it's");
}

TEST(Csv, ALineOfCellsIsReadBack) {
    EXPECT_THAT(csv_row(""), ElementsAre(""));
    EXPECT_THAT(csv_row("a,,\"b, \"\"c\"\"\","), ElementsAre("a", "", "b, \"c\"", ""));
    EXPECT_THAT(csv_row("'=1,'x,-1,\"'+a,b\",''=1"), ElementsAre("=1", "'x", "-1", "+a,b", "'=1"));
}

TEST(Csv, AnyPrintableTextsAreReadBack) {
    RandomStream random(1, "cells");
    const std::string alphabet = "='\"+-@,1 ab";
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::string> texts(1 + random.below(4));
        std::string line;
        for (std::string& text : texts) {
            for (std::uint64_t left = random.below(6); left > 0; --left)
                text += alphabet[static_cast<std::size_t>(random.below(alphabet.size()))];
            line += csv_cell(text) + ',';
        }
        line.pop_back();
        ASSERT_EQ(csv_row(line), texts) << line;
    }
}

}  // namespace
}  // namespace edgeloop::csv_test
