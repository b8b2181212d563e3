#include "edgeloop/link/messages.hpp"

#include "support/sample_messages.hpp"

#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace edgeloop::wire {
namespace {

TEST(Messages, EveryKindSurvivesTheWire) {
    for (const Packet& packet : sample_packets()) {
        const std::string bytes = encode(packet);
        const Packet back = decode(bytes, "test");
        EXPECT_EQ(back.message.index(), packet.message.index());
        EXPECT_EQ(back.request, packet.request);
        EXPECT_EQ(encode(back), bytes);
    }
    EXPECT_EQ(sample_packets().size(), std::variant_size_v<Message>);
}

TEST(Messages, EverySingleBitFlipIsNoticed) {
    const std::string bytes = encode(sample_packets()[0]);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        std::string broken = bytes;
        broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_THROW((void)decode(broken, "test"), CorruptState) << "bit " << bit;
    }
}

TEST(Messages, EveryTruncationIsNoticed) {
    ASSERT_FALSE(sample_packets().empty());
    for (const Packet& packet : sample_packets()) {
        const std::string bytes = encode(packet);
        for (std::size_t size = 0; size < bytes.size(); ++size)
            EXPECT_THROW((void)decode(bytes.substr(0, size), "test"), CorruptState);
    }
}

/// A message whose envelope is in order but whose payload is `payload`.
std::string with_payload(std::uint16_t type, const std::string& payload) {
    return seal({"ELNK", protocol_version}, {type, 7, payload});
}

TEST(Messages, ALengthAboveTheBytesAtHandIsRefusedBeforeItIsAllocated) {
    const std::uint16_t refused = 2;
    const std::string huge = std::string("\x01", 1) + std::string("\xff\xff\xff\xff", 4) + "abc";
    EXPECT_THROW((void)decode(with_payload(refused, huge), "test"), CorruptState);
    const std::string above_rest = std::string("\x01", 1) + std::string("\x04\0\0\0", 4) + "abc";
    EXPECT_THROW((void)decode(with_payload(refused, above_rest), "test"), CorruptState);
}

TEST(Messages, LeftOverBytesUnknownTypesAndBadTextAreRefused) {
    const std::uint16_t refused = 2;
    const std::string good = std::string("\x01", 1) + std::string("\x03\0\0\0", 4) + "abc";
    EXPECT_NO_THROW((void)decode(with_payload(refused, good), "test"));
    EXPECT_THROW((void)decode(with_payload(refused, good + "x"), "test"), CorruptState);
    EXPECT_THROW((void)decode(with_payload(999, good), "test"), CorruptState);
    const std::string bad = std::string("\x01", 1) + std::string("\x03\0\0\0", 4) + "a\xff\x01";
    EXPECT_THROW((void)decode(with_payload(refused, bad), "test"), CorruptState);
    EXPECT_THROW((void)decode(with_payload(refused, ""), "test"), CorruptState);
}

TEST(Messages, ValuesThatAreNotNumbersAreRefused) {
    MeasurementResult result;
    result.metrics["latency_ms"] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THROW((void)decode_result(encode_result(result), "test"), CorruptState);
}

TEST(Messages, AResultOfAStoreThatDoesNotSayWhoseFailureItIsIsTheDevices) {
    MeasurementResult result;
    result.status = Status::failed;
    result.failure_of = FailureOf::network;
    const std::string bytes = encode_result(result);
    EXPECT_EQ(decode_result(bytes, "test").failure_of, FailureOf::network);
    const std::string before = bytes.substr(0, bytes.size() - 1);
    EXPECT_EQ(decode_result(before, "test").failure_of, FailureOf::device);
}

TEST(Messages, TextBeyondTheLimitIsABugOfTheSender) {
    EXPECT_THROW((void)encode({Refused{std::string(max_text_bytes + 1, 'x')}, 0}), LogicError);
}

TEST(Messages, AnotherVersionIsNamed) {
    std::string bytes = encode(sample_packets()[0]);
    bytes[4] = 9;
    EXPECT_EQ(claimed_version(bytes), 9);
    const std::string text = version_refusal(9);
    EXPECT_NE(text.find("version 9"), std::string::npos);
    EXPECT_NE(text.find("version " + std::to_string(protocol_version)), std::string::npos);
    EXPECT_EQ(claimed_version("hello"), -1);
}

}  // namespace
}  // namespace edgeloop::wire
