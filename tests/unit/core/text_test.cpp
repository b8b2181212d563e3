#include "edgeloop/core/text.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

TEST(Text, NearestIsTheSmallestEdit) {
    EXPECT_EQ(nearest("popluation", {"run-dir", "population", "seed"}), "population");
    EXPECT_EQ(nearest("x", {}), "");
}

TEST(Text, ShortestReadsBackExactly) {
    EXPECT_EQ(shortest(0.1), "0.1");
    EXPECT_EQ(shortest(3), "3");
    for (const double value : {1.0 / 3, 5e-324, 1.7976931348623157e308, -2.5e-8})
        EXPECT_EQ(std::strtod(shortest(value).c_str(), nullptr), value);
}

}  // namespace
}  // namespace edgeloop
