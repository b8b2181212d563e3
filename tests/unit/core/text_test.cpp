#include "edgeloop/core/text.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

namespace edgeloop {
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

}  // namespace
}  // namespace edgeloop
