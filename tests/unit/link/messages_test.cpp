#include "edgeloop/link/messages.hpp"

#include "support/hostile_peers.hpp"
#include "support/sample_messages.hpp"

#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/text.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace edgeloop::wire::messages_test {
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

TEST(Messages, LinesForPeopleComeInCleanAndWithinTheirLimit) {
    MeasurementResult result;
    result.status = Status::failed;
    result.reason = test::hostile_text;
    result.device = test::hostile_text;
    result.record = Json(test::hostile_text).dump();
    const MeasurementResult back = decode_result(encode_result(result), "test");
    EXPECT_EQ(back.reason, printable(test::hostile_text));
    EXPECT_EQ(back.device, printable(test::hostile_text));
    EXPECT_EQ(back.record, result.record) << "documents are parsed before they are shown";
    result.reason = std::string(max_text_bytes, '\x1b');
    const MeasurementResult cut = decode_result(encode_result(result), "test");
    EXPECT_EQ(cut.reason.size(), max_text_bytes);
    EXPECT_EQ(encode_result(cut), encode_result(decode_result(encode_result(cut), "test")));
}

TEST(Messages, NamesByWhichAPeerIsKnownAreNotChanged) {
    const Packet hello{Hello{Role::agent, "a\x1b", 1, "b\x1b", "{}"}, 0};
    const auto back = std::get<Hello>(decode(encode(hello), "test").message);
    EXPECT_EQ(back.name, "a\x1b") << "the board refuses it";
    EXPECT_EQ(back.device_class, "b\x1b");
}

TEST(Messages, NamesOfOursAreMadeToFit) {
    EXPECT_THROW(check_name("--name", test::hostile_text), ConfigError);
    EXPECT_THROW(check_name("--name", "caf\xe9"), ConfigError);
    EXPECT_NO_THROW(check_name("--name", "caf\u00e9"));
    EXPECT_EQ(fit_name("caf\xe9\n"), "caf\\x{e9}\\u{a}");
    for (std::size_t shift = 0; shift < 3; ++shift) {
        std::string name(shift, 'x');
        while (name.size() < 2 * max_name_bytes) name += "\u20ac";
        const std::string fitted = fit_name(name);
        EXPECT_LE(fitted.size(), max_name_bytes);
        EXPECT_TRUE(is_utf8(fitted));
        EXPECT_EQ(fitted.rfind("...\u20ac", 0), 0u) << fitted;
        EXPECT_NO_THROW(check_name("--name", fitted));
    }
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
}  // namespace edgeloop::wire::messages_test
