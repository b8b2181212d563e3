#include "edgeloop/core/hash.hpp"

#include <gtest/gtest.h>

namespace edgeloop::hash_test {
namespace {

TEST(Hash, DigestMatchesTheXxh3Definition) {
    // XXH3_128bits of the empty input, seed 0, from the xxHash specification's test vectors.
    EXPECT_EQ(digest("").hex(), "99aa06d3014798d86001c324468d497f");
    EXPECT_NE(digest("a"), digest("b"));
    EXPECT_EQ(digest("same"), digest("same"));
}

TEST(Hash, Crc32MatchesItsCheckValue) {
    EXPECT_EQ(crc32("123456789"), 0xCBF43926u);  // the standard's check value
    EXPECT_EQ(crc32("6789", crc32("12345")), 0xCBF43926u);
    EXPECT_EQ(crc32(""), 0u);
}

}  // namespace
}  // namespace edgeloop::hash_test
