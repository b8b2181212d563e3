#include "edgeloop/core/json.hpp"

#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::json_test {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& text) {
    try {
        static_cast<void>(parse_json(text, "space.json"));
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(Json, NamesLineAndColumn) {
    EXPECT_THAT(error_of("{\n  \"a\": 1,\n  \"b\" 2\n}"),
                HasSubstr("space.json, line 3, column 7"));
    EXPECT_THAT(error_of(""), HasSubstr("line 1, column 1"));
    EXPECT_THAT(error_of("{\"a\": 1} x"), HasSubstr("line 1, column 10"));
    EXPECT_THAT(error_of("{\"a\": 1"), HasSubstr("line 1"));
}

TEST(Json, RefusesDuplicateKeysAndDeepNesting) {
    EXPECT_THAT(error_of("{\"a\": 1,\n \"a\": 2}"),
                HasSubstr("space.json, line 2, column 4: key 'a' appears twice"));
    EXPECT_EQ(error_of(R"({"a": {"a": 2}, "b": [{"a": 1}, {"a": 2}]})"), "accepted");
    EXPECT_THAT(error_of(std::string(100000, '[')), HasSubstr("line 1, column 66: nested deeper"));
    EXPECT_THAT(error_of("[1,\n 1e999]"), HasSubstr("line 2, column 7: a number is too large"));
    EXPECT_THAT(error_of("{\"a\": \"\xff\"}"), HasSubstr("line 1, column 8: not valid JSON"));
}

TEST(Json, WhatProgramsKeptMayNestDeeperButNotWithoutBound) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    const std::string document = nested(deepest_json);
    EXPECT_EQ(error_of(document), "accepted");
    EXPECT_EQ(error_of(R"({"kept": )" + nested(deepest_json + 1) + "}").find("accepted"),
              std::string::npos);
    EXPECT_NO_THROW((void)parse_json(R"({"kept": [)" + document + "]}", "t", deepest_kept_json));
    EXPECT_EQ(parse_kept_json(R"({"kept": ["]]]\"[[", )" + document + "]}").at("kept")[0],
              "]]]\"[[");
    EXPECT_NO_THROW((void)parse_kept_json("\"" + std::string(1000, '[') + "\""));
    EXPECT_THROW((void)parse_kept_json(nested(deepest_kept_json + 1)), CorruptState);
    EXPECT_THROW((void)parse_kept_json(std::string(10'000'000, '[')), CorruptState);
    EXPECT_THROW((void)parse_kept_json("[1,"), Json::exception);
}

TEST(Json, DoublesRoundTrip) {
    const Json value = parse_json("[0.1, 1e-300, 5e-324, 123456789.123456789]", "t");
    EXPECT_EQ(parse_json(value.dump(), "t"), value);
}

TEST(Json, UnknownKeyNamesTheNearest) {
    try {
        require_known_keys(parse_json(R"({"embed_dmi": 24})", "t"), {"patch", "embed_dim"}, "spec");
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(),
                    HasSubstr("spec: unknown key 'embed_dmi'; did you mean 'embed_dim'?"));
    }
    EXPECT_THROW(require_known_keys(Json::array(), {"a"}, "t"), ConfigError);
    EXPECT_THROW(require_known_keys(parse_json(R"({"a": 1})", "t"), {}, "t"), ConfigError);
}

TEST(Json, MissingFileIsBadInput) {
    EXPECT_THROW(static_cast<void>(read_json_file("/nowhere/x.json")), ConfigError);
    EXPECT_THROW(static_cast<void>(read_json_file("/tmp")), ConfigError);
}

TEST(Json, TextsOfOthersAreMadePrintableAndAllElseStays) {
    const Json value = parse_json(
        R"({"a\u001b": ["\u202e", 1.5, null, {"\u009b": "\n"}], "b": true, "c": "\u00e4"})", "t");
    EXPECT_EQ(with_printable_texts(value),
              parse_json(R"({"a\\u{1b}": ["\\u{202e}", 1.5, null, {"\\u{9b}": "\\u{a}"}],
                             "b": true, "c": "\u00e4"})",
                         "t"));
    EXPECT_EQ(with_printable_texts(Json::array()), Json::array());
    EXPECT_EQ(with_printable_texts(Json::object()), Json::object());
}

}  // namespace
}  // namespace edgeloop::json_test
