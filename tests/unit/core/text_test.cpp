#include "edgeloop/core/text.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

namespace edgeloop::text_test {
namespace {

TEST(Text, SlipsOfTheKeyboardAreAnsweredWithTheNearest) {
    const std::vector<std::string> known = {"run-dir", "population", "seed"};
    EXPECT_EQ(did_you_mean("popluation", known), "did you mean 'population'?");
    EXPECT_EQ(did_you_mean("sede", known), "did you mean 'seed'?");
}

TEST(Text, WordsFarFromAllAreNotAnsweredWithAGuess) {
    EXPECT_EQ(did_you_mean("verbosity", {"run-dir", "seed"}), "known: run-dir, seed");
    EXPECT_EQ(did_you_mean("x", {}), "");
    EXPECT_EQ(did_you_mean("verbosity", std::vector<std::string>(20, "seed")), "");
}

TEST(Text, ShortestReadsBackExactly) {
    EXPECT_EQ(shortest(0.1), "0.1");
    EXPECT_EQ(shortest(3), "3");
    for (const double value : {1.0 / 3, 5e-324, 1.7976931348623157e308, -2.5e-8})
        EXPECT_EQ(std::strtod(shortest(value).c_str(), nullptr), value);
}

TEST(Text, Utf8IsWellFormedOrNot) {
    for (const char* good : {"", "a", "\u00e4\u20ac", "\U0001f600", "\U0010ffff"})
        EXPECT_TRUE(is_utf8(good)) << good;
    for (const char* bad : {"\xff", "a\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                            "\xf4\x90\x80\x80", "\x80", "\xe2\x82", "\xf0\x80\x80\x80"})
        EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(Text, WhatIsPrintableStaysAsItIs) {
    for (const std::string text :
         {"", "plain", "Gr\u00fc\u00dfe, \u4e16\u754c \U0001f600", "\\u{1b}"})
        EXPECT_EQ(printable(text), text);
}

TEST(Text, WhatWouldDoSomethingToATerminalIsShownInstead) {
    EXPECT_EQ(printable("a\r\n\tb"), "a\\u{d}\\u{a}\\u{9}b");
    EXPECT_EQ(printable("\x1b[31mred\x07\x7f"), "\\u{1b}[31mred\\u{7}\\u{7f}");
    EXPECT_EQ(printable(std::string("nul\0", 4)), "nul\\u{0}");
    EXPECT_EQ(printable("\u0085\u009b31m"), "\\u{85}\\u{9b}31m") << "C1";
    EXPECT_EQ(printable("\u061c\u200e\u200f\u2028\u2029"),
              "\\u{61c}\\u{200e}\\u{200f}\\u{2028}\\u{2029}");
    EXPECT_EQ(printable("\u202a\u202e\u2066\u2069"), "\\u{202a}\\u{202e}\\u{2066}\\u{2069}");
    EXPECT_EQ(printable("\u2027\u202f\u2065\u206a\u00a0"), "\u2027\u202f\u2065\u206a\u00a0");
    EXPECT_EQ(printable("caf\xe9 \xc3"), "caf\\x{e9} \\x{c3}");
}

TEST(Text, OfSeveralLinesTheEndsStay) {
    EXPECT_EQ(printable_lines(""), "");
    EXPECT_EQ(printable_lines("a\x1b\n\nb\r\n"), "a\\u{1b}\n\nb\\u{d}\n");
    EXPECT_EQ(printable_lines("a\nb"), "a\nb");
}

TEST(Text, CleaningOnceIsEnoughAndGrowsSixfoldAtMost) {
    RandomStream random(1, "texts");
    for (int round = 0; round < 2000; ++round) {
        std::string text;
        for (std::uint64_t left = random.below(40); left > 0; --left)
            text += static_cast<char>(random.below(256));
        const std::string clean = printable(text);
        ASSERT_TRUE(is_utf8(clean));
        ASSERT_EQ(printable(clean), clean);
        ASSERT_LE(clean.size(), 6 * text.size());
    }
}

TEST(Text, IsCutBetweenLetters) {
    const std::string text = "a\u00e4\u20ac\U0001f600z";  // 1 + 2 + 3 + 4 + 1 bytes
    for (std::size_t bytes = 0; bytes <= text.size() + 1; ++bytes) {
        for (const std::string_view part : {beginning(text, bytes), ending(text, bytes)}) {
            EXPECT_LE(part.size(), bytes);
            EXPECT_GE(part.size() + 3, std::min(bytes, text.size()));
            EXPECT_TRUE(is_utf8(part)) << bytes;
        }
        EXPECT_EQ(text.rfind(beginning(text, bytes), 0), 0u);
    }
    EXPECT_EQ(beginning(text, 5), "a\u00e4");
    EXPECT_EQ(ending(text, 4), "z");
    EXPECT_EQ(beginning("\x80\x80", 1), "") << "no UTF-8 at all";
}

}  // namespace
}  // namespace edgeloop::text_test
