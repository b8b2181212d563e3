#include "edgeloop/core/envelope.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::envelope_test {
namespace {

constexpr EnvelopeFormat format{"TEST", 3};

TEST(Envelope, ReturnsWhatWasSealed) {
    const std::string bytes = seal(format, {7, 0x1122334455667788ull, std::string("pay\0load", 8)});
    EXPECT_EQ(bytes.size(), envelope_header_bytes + 8);
    const Envelope opened = open_envelope(format, bytes, "test");
    EXPECT_EQ(opened.type, 7);
    EXPECT_EQ(opened.request_id, 0x1122334455667788ull);
    EXPECT_EQ(opened.payload, std::string("pay\0load", 8));
}

TEST(Envelope, HeaderIsLittleEndianAsDocumented) {
    const std::string bytes = seal(format, {0x0102, 5, "x"});
    EXPECT_EQ(bytes.substr(0, 8), std::string("TEST\x03\x00\x02\x01", 8));
    EXPECT_EQ(bytes.substr(16, 8), std::string("\x01\0\0\0\0\0\0\0", 8));
}

TEST(Envelope, EveryTruncationIsRefused) {
    const std::string bytes = seal(format, {1, 2, std::string(100, 'p')});
    for (std::size_t length = 0; length < bytes.size(); ++length)
        EXPECT_THROW(static_cast<void>(open_envelope(format, bytes.substr(0, length), "t")),
                     CorruptState)
            << length;
    EXPECT_THROW(static_cast<void>(open_envelope(format, bytes + "x", "t")), CorruptState);
}

TEST(Envelope, EveryBitFlipIsRefused) {
    const std::string bytes = seal(format, {1, 2, std::string(40, 'p')});
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        std::string damaged = bytes;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_THROW(static_cast<void>(open_envelope(format, damaged, "t")), CorruptState) << bit;
    }
}

TEST(Envelope, UnknownVersionNamesBoth) {
    const std::string bytes = seal({"TEST", 9}, {1, 2, "p"});
    EXPECT_EQ(envelope_version(format, bytes), 9);
    EXPECT_EQ(envelope_version({"ELSE", 1}, bytes), -1);
    try {
        static_cast<void>(open_envelope(format, bytes, "file x"));
        FAIL();
    } catch (const CorruptState& error) {
        EXPECT_THAT(error.what(), ::testing::AllOf(::testing::HasSubstr("version 9"),
                                                   ::testing::HasSubstr("version 3"),
                                                   ::testing::HasSubstr("file x")));
    }
}

TEST(Envelope, RandomBytesAreRefused) {
    RandomStream random(1, "fuzz");
    for (int i = 0; i < 20000; ++i) {
        std::string bytes(random.below(80), '\0');
        for (char& byte : bytes) byte = static_cast<char>(random.next_u32());
        if (random.chance(0.5)) bytes.replace(0, std::min<std::size_t>(4, bytes.size()), "TEST");
        EXPECT_THROW(static_cast<void>(open_envelope(format, bytes, "t")), CorruptState);
    }
}

}  // namespace
}  // namespace edgeloop::envelope_test
