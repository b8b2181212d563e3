#include "edgeloop/core/safetensors.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/little_endian.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::safetensors_test {
namespace {

std::string file_of(const std::string& header, const std::string& values = {}) {
    std::string bytes;
    put_little_endian<std::uint64_t>(bytes, header.size());
    return bytes + header + values;
}

std::string entry(const std::string& type, const std::string& shape, const std::string& place) {
    return R"({"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + place + "}";
}

void expect_refused(const std::string& bytes, const std::string& because) {
    try {
        (void)decode_safetensors(bytes, "some.safetensors");
        ADD_FAILURE() << "read: " << bytes;
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr(because));
        EXPECT_THAT(error.what(), testing::HasSubstr("some.safetensors"));
    }
}

TEST(SafeTensors, ReadsWhatItWrote) {
    SafeTensors content;
    const std::string floats(24, 'f'), bytes("\0\1\2", 3), number(8, 'n');
    content.tensors = {{"b", {ElementType::f32, {2, 3}, floats}},
                       {"a", {ElementType::u8, {3}, bytes}},
                       {"scalar", {ElementType::i64, {}, number}},
                       {"nothing", {ElementType::f16, {0}, {}}}};
    content.metadata = {{"precision", "float32"}};
    const std::string written = encode_safetensors(content);
    const SafeTensors read = decode_safetensors(written, "test");
    EXPECT_EQ(read.metadata, content.metadata);
    ASSERT_EQ(read.tensors.size(), 4u);
    for (const auto& [name, tensor] : content.tensors) {
        EXPECT_EQ(read.tensors.at(name).type, tensor.type) << name;
        EXPECT_EQ(read.tensors.at(name).shape, tensor.shape) << name;
        EXPECT_EQ(read.tensors.at(name).bytes, tensor.bytes) << name;
    }
    EXPECT_EQ(encode_safetensors(read), written);
}

TEST(SafeTensors, WritesTheFormatOfTheirPage) {
    SafeTensors content;
    content.tensors = {{"w", {ElementType::i32, {1}, "wert"}}};
    const std::string written = encode_safetensors(content);
    const std::string header = R"({"w":{"data_offsets":[0,4],"dtype":"I32","shape":[1]}})";
    EXPECT_EQ(written.size() % 8, 4u) << "the values begin at a multiple of eight";
    EXPECT_EQ(written.substr(8, header.size()), header);
    EXPECT_EQ(written.substr(written.size() - 4), "wert");
}

TEST(SafeTensors, EveryTruncationIsRefused) {
    SafeTensors content;
    const std::string values(16, 'v');
    content.tensors = {{"w", {ElementType::f32, {4}, values}}};
    const std::string whole = encode_safetensors(content);
    for (std::size_t length = 0; length < whole.size(); ++length)
        EXPECT_THROW((void)decode_safetensors(whole.substr(0, length), "test"), ConfigError)
            << length;
}

TEST(SafeTensors, WhatDoesNotFitTheFileIsRefused) {
    const std::string eight(8, 'v');
    const auto one = [&](const std::string& tensor) {
        return file_of("{\"w\":" + tensor + "}", eight);
    };
    expect_refused(one(entry("F32", "[3]", "[0,12]")), "shape does not fit");
    expect_refused(one(entry("F32", "[1]", "[0,8]")), "another size");
    expect_refused(one(entry("U8", "[8]", "[8,0]")), "outside the file");
    expect_refused(one(entry("U8", "[8]", "[8,16]")), "outside the file");
    expect_refused(one(entry("U8", "[-8]", "[0,8]")), "whole numbers");
    expect_refused(one(entry("U8", "[8.5]", "[0,8]")), "whole numbers");
    expect_refused(one(entry("U8", "[8]", "[0,8,8]")), "place");
    expect_refused(one(entry("U8", "[0,18446744073709551615]", "[0,0]")), "does not fit");
    expect_refused(one(entry("U8", "[4294967296,4294967296]", "[0,0]")), "does not fit");
    expect_refused(one(entry("BF16", "[4]", "[0,8]")), "another type");
    expect_refused(one(entry("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8]", "[0,8]")), "axes");
    expect_refused(one("[]"), "some.safetensors");
    expect_refused(file_of("[]"), "no object");
}

TEST(SafeTensors, TensorsLieOneAfterTheOther) {
    const std::string eight(8, 'v');
    const auto two = [&](const std::string& a, const std::string& b) {
        return file_of("{\"a\":" + entry("U8", "[4]", a) + ",\"b\":" + entry("U8", "[4]", b) + "}",
                       eight);
    };
    EXPECT_EQ(decode_safetensors(two("[4,8]", "[0,4]"), "test").tensors.size(), 2u);
    expect_refused(two("[0,4]", "[2,6]"), "overlap");
    expect_refused(two("[0,4]", "[0,4]"), "overlap");
    expect_refused(file_of("{\"a\":" + entry("U8", "[4]", "[4,8]") + "}", eight), "hole");
    expect_refused(file_of("{\"a\":" + entry("U8", "[4]", "[0,4]") + "}", eight), "not all of");
    expect_refused(file_of("{\"a\":" + entry("U8", "[4]", "[0,4]") +
                               ",\"a\":" + entry("U8", "[4]", "[4,8]") + "}",
                           eight),
                   "hole");
}

TEST(SafeTensors, HeadersAreBounded) {
    std::string bytes;
    put_little_endian<std::uint64_t>(bytes, ~std::uint64_t{0});
    expect_refused(bytes + "{}", "longer than the file");
    std::string many = "{";
    for (std::size_t i = 0; i <= max_safetensors; ++i)
        many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":" + entry("U8", "[0]", "[0,0]");
    expect_refused(file_of(many + "}"), "more than");
    const std::size_t too_long = max_safetensors_header + 1;
    expect_refused(file_of("{}" + std::string(too_long - 2, ' ')), "header is longer than");
    expect_refused(file_of(R"({"__metadata__":{"a":1}})"), "some.safetensors");
    expect_refused(file_of(R"({"a":)"), "no JSON");
    expect_refused(file_of(std::string(1000, '[')), "nested");
}

}  // namespace
}  // namespace edgeloop::safetensors_test
