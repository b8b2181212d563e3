#include "edgeloop/core/line_reader.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <zlib.h>

namespace edgeloop::line_reader_test {
namespace {

class LineReaderTest : public ::testing::Test {
  protected:
    std::vector<std::string> lines(const std::string& text) {
        write_file_atomic(path_, text);
        LineReader reader(path_);
        std::vector<std::string> found;
        while (const auto line = reader.next()) {
            found.emplace_back(*line);
            EXPECT_EQ(reader.number(), found.size());
        }
        EXPECT_FALSE(reader.next()) << "the end stays the end";
        digest_ = reader.digest();
        return found;
    }

    const test::TemporaryFolder folder_;
    const std::string path_ = folder_.path("text");
    Digest digest_;
};

using Lines = std::vector<std::string>;

TEST_F(LineReaderTest, EndsOfLinesAndOfTheFile) {
    EXPECT_EQ(lines(""), Lines{});
    EXPECT_EQ(lines("a"), Lines{"a"});
    EXPECT_EQ(lines("a\n"), Lines{"a"});
    EXPECT_EQ(lines("a\r\nb\r\n"), (Lines{"a", "b"}));
    EXPECT_EQ(lines("\n\na"), (Lines{"", "", "a"}));
    EXPECT_EQ(lines("\xEF\xBB\xBF"
                    "a\n\xEF\xBB\xBF"),
              (Lines{"a", "\xEF\xBB\xBF"}));
    EXPECT_EQ(lines(std::string("a\0b\nc", 5)), (Lines{std::string("a\0b", 3), "c"}));
}

TEST_F(LineReaderTest, LinesThatCrossBlocksAndLinesLongerThanOne) {
    std::string text;
    Lines expected;
    for (std::size_t i = 0; i < 30; ++i) {
        expected.push_back(std::string(i == 7 ? 3000000 : 99991, char('a' + i % 26)));
        text += expected.back() + '\n';
    }
    EXPECT_EQ(lines(text), expected);
}

TEST_F(LineReaderTest, TheDigestIsThatOfTheText) {
    (void)lines("a\nb\n");
    const Digest first = digest_;
    (void)lines("a\nb\n");
    EXPECT_EQ(digest_, first);
    (void)lines("a\nc\n");
    EXPECT_NE(digest_, first);
}

TEST_F(LineReaderTest, WhatCannotBeReadIsTheUsersToMend) {
    EXPECT_THROW(LineReader(folder_.path("none")), ConfigError);
    EXPECT_THROW(LineReader{folder_.root()}, ConfigError);
}

TEST_F(LineReaderTest, ALineWithoutAnEndIsNotReadForEver) {
    // 80 MiB of zeros, 80 KB of gzip.
    const std::string path = folder_.path("bomb.gz");
    gzFile bomb = gzopen(path.c_str(), "wb9");
    const std::string zeros(1 << 20, '\0');
    for (int i = 0; i < 80; ++i)
        ASSERT_EQ(gzwrite(bomb, zeros.data(), static_cast<unsigned>(zeros.size())), 1 << 20);
    ASSERT_EQ(gzclose(bomb), Z_OK);
    LineReader reader(path);
    EXPECT_THROW((void)reader.next(), ConfigError);
}

}  // namespace
}  // namespace edgeloop::line_reader_test
