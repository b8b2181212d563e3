// Which ONNX models are loaded at all. Messages are made by hand, field by field.
#include "onnx_check.hpp"

#include "runtime.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <cstdint>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::onnx_check_test {
namespace {

std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7U) bytes.push_back(static_cast<char>((value & 0x7fU) | 0x80U));
    bytes.push_back(static_cast<char>(value));
    return bytes;
}
std::string integer(std::uint64_t field, std::uint64_t value) {
    return varint(field << 3U) + varint(value);
}
std::string sized(std::uint64_t field, const std::string& bytes) {
    return varint(field << 3U | 2U) + varint(bytes.size()) + bytes;
}

std::string tensor() {
    return integer(1, 2) + integer(2, 1) + sized(8, "weights") + sized(9, "12345678");
}
std::string external_tensor() {
    return tensor() + sized(13, sized(1, "location") + sized(2, "/etc/passwd")) + integer(14, 1);
}
std::string node(const std::string& more = {}) {
    return sized(1, "x") + sized(2, "y") + sized(4, "Relu") + more;
}
std::string graph(const std::string& more = {}) {
    return sized(1, node()) + sized(2, "name") + sized(5, tensor()) + more;
}
std::string model(const std::string& graph_bytes = graph(), const std::string& more = {}) {
    return integer(1, 8) + sized(2, "test") + sized(7, graph_bytes) +
           sized(8, sized(1, "") + integer(2, 17)) + more;
}
/// A node with an attribute.
std::string with_attribute(std::uint64_t field, const std::string& value) {
    return graph(sized(1, node(sized(5, sized(1, "body") + sized(field, value)))));
}

std::string refusal(const std::string& bytes) {
    try {
        check_onnx(bytes);
        return {};
    } catch (const NetworkError& error) {
        return error.problem();
    }
}

TEST(OnnxCheck, AModelOfOnnxsOwnOperatorsIsLoaded) {
    EXPECT_EQ(refusal(model()), "");
    EXPECT_EQ(refusal(model(graph(), sized(8, sized(1, "ai.onnx") + integer(2, 17)))), "");
    EXPECT_EQ(refusal(model(with_attribute(6, graph()))), "");
    EXPECT_EQ(refusal(model(graph(sized(5, tensor() + integer(14, 0))))), "")
        << "which says that the values are in the model";
}

TEST(OnnxCheck, ValuesInOtherFilesAreRefusedWhereverTheyAre) {
    const std::string sparse = sized(1, external_tensor());
    for (const std::string& bytes :
         {model(graph(sized(5, external_tensor()))), model(graph(sized(15, sparse))),
          model(with_attribute(5, external_tensor())), model(with_attribute(10, external_tensor())),
          model(with_attribute(22, sparse)), model(with_attribute(23, sparse)),
          model(with_attribute(6, graph(sized(5, external_tensor())))),
          model(with_attribute(11, with_attribute(6, graph(sized(5, external_tensor()))))),
          // Said once, or in a way that a reader may take for it.
          model(graph(sized(5, tensor() + integer(14, 1)))),
          model(graph(sized(5, tensor() + sized(13, "")))),
          model(graph(sized(5, tensor() + sized(14, varint(1))))),
          // A second graph, which a reader joins to the first.
          model(graph(), sized(7, sized(5, external_tensor())))})
        EXPECT_THAT(refusal(bytes), testing::HasSubstr("another file"));
}

TEST(OnnxCheck, OtherOperatorsAreRefusedByTheirDomain) {
    EXPECT_THAT(refusal(model(graph(), sized(8, sized(1, "com.example") + integer(2, 1)))),
                testing::HasSubstr("'com.example'"));
    EXPECT_THAT(refusal(model(graph(sized(1, node(sized(7, "com.microsoft")))))),
                testing::HasSubstr("'com.microsoft'"));
    const std::string inner = graph(sized(1, node(sized(7, "com.example"))));
    EXPECT_THAT(refusal(model(with_attribute(6, inner))), testing::HasSubstr("'com.example'"));
    EXPECT_THAT(refusal(model(graph(sized(1, node(sized(7, "a\x1b[31m\n")))))),
                testing::HasSubstr("'a\\u{1b}[31m\\u{a}'"))
        << "what goes to logs is text";
}

TEST(OnnxCheck, FunctionsAndTrainingOfAModelAreRefused) {
    EXPECT_THAT(refusal(model(graph(), sized(25, ""))), testing::HasSubstr("functions"));
    EXPECT_THAT(refusal(model(graph(), sized(20, ""))), testing::HasSubstr("training"));
}

TEST(OnnxCheck, DeepGraphsAreRefused) {
    std::string bytes = graph();
    for (int i = 0; i < 1000; ++i) bytes = with_attribute(6, bytes);
    EXPECT_THAT(refusal(model(bytes)), testing::HasSubstr("nested deeper"));
}

TEST(OnnxCheck, WhatIsNoModelIsRefused) {
    EXPECT_THAT(refusal(""), testing::HasSubstr("no graph"));
    EXPECT_THAT(refusal("PK\x03\x04 a zip file"), testing::HasSubstr("refused"));
    EXPECT_THAT(refusal(varint(7 << 3U | 3U)), testing::HasSubstr("no message"));
    EXPECT_THAT(refusal(varint(7 << 3U | 2U) + varint(~std::uint64_t{0})),
                testing::HasSubstr("too early"));
    EXPECT_THAT(refusal(std::string(20, '\xff')), testing::HasSubstr("no message"));
}

TEST(OnnxCheck, CutAndChangedModelsNeverPassTheEnd) {
    const std::string whole = model(with_attribute(6, graph(sized(15, sized(1, tensor())))));
    for (std::size_t size = 0; size < whole.size(); ++size) (void)refusal(whole.substr(0, size));
    RandomStream random(1, "onnx");
    for (int i = 0; i < 20'000; ++i) {
        std::string changed = whole;
        for (int k = 0; k < 3; ++k)
            changed[random.below(changed.size())] = static_cast<char>(random.below(256));
        (void)refusal(changed);
    }
}

}  // namespace
}  // namespace edgeloop::onnx_check_test
