#include "edgeloop/core/error.hpp"
#include "edgeloop/space/search_space.hpp"

#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::space_file_test {
namespace {

using testing::HasSubstr;

Json valid() {
    return Json::parse(R"({
      "version": 1, "name": "small",
      "base": {"family": "cnn3d", "architecture": {"stages": [
        {"channels": 4, "kernel": [3, 3, 3], "pool": [2, 2, 2]}]}},
      "variables": [
        {"name": "a", "path": [], "kind": "categorical", "choices": ["x", "y"]},
        {"name": "clip.side", "kind": "ordinal", "choices": [16, 32], "when": {"a": "x"}}
      ]
    })");
}

std::string rejection(const Json& json) {
    try {
        (void)SearchSpace::from_json(json, "space.json");
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

std::string rejection_with(const char* pointer, const Json& value) {
    Json json = valid();
    json[Json::json_pointer(pointer)] = value;
    return rejection(json);
}

TEST(SpaceFile, TheExampleIsValid) { EXPECT_EQ(rejection(valid()), "accepted"); }

TEST(SpaceFile, RejectsWhatIsNotInTheGrammar) {
    EXPECT_THAT(rejection_with("/variable", 1), HasSubstr("did you mean 'variables'?"));
    EXPECT_THAT(rejection_with("/version", 2), HasSubstr("only version 1"));
    EXPECT_THAT(rejection_with("/base/clips", 1), HasSubstr("unknown key 'clips'"));
    EXPECT_THAT(rejection_with("/base/clip", 1), HasSubstr("base.clip: expected an object"));
    EXPECT_THAT(rejection_with("/variables", Json::array()), HasSubstr("variables: length 0"));
    EXPECT_THAT(rejection_with("/variables/0/kinds", "x"), HasSubstr("variables[0].kinds"));
    EXPECT_THAT(rejection_with("/variables/0/kind", "x"), HasSubstr("unknown kind 'x'"));
    EXPECT_THAT(rejection_with("/variables/0/name", "1 2"), HasSubstr("is not a name"));
    EXPECT_THAT(rejection_with("/variables/0/name", "clip.side"), HasSubstr("declared twice"));
    EXPECT_THAT(rejection_with("/variables/1/path", "clip.sides"),
                HasSubstr("has the path '/clip/sides'"));
    EXPECT_THAT(rejection_with("/variables/1/path", "clip.99999999999999999999"),
                HasSubstr("is no path"));
    EXPECT_THAT(rejection_with("/constraints", {"clip.99999999999999999999 > 0"}),
                HasSubstr("neither a variable nor a path"));
    EXPECT_THAT(rejection_with("/limits", {{"parameters", 0}}), HasSubstr("limits.parameters"));
    EXPECT_THAT(rejection(Json::array()), HasSubstr("expected an object"));
}

TEST(SpaceFile, RejectsEmptyAndContradictoryDomains) {
    EXPECT_THAT(rejection_with("/variables/0/choices", Json::array()), HasSubstr("length 0"));
    EXPECT_THAT(rejection_with("/variables/0/choices", {"x", "x"}), HasSubstr("appears twice"));
    EXPECT_THAT(rejection_with("/variables/0/lower", 1), HasSubstr("choices take no bounds"));
    const auto range = [](const char* kind, double low, double high) {
        return rejection_with(
            "/variables/1",
            {{"name", "clip.side"}, {"kind", kind}, {"lower", low}, {"upper", high}});
    };
    EXPECT_THAT(range("integer", 5, 4), HasSubstr("the domain 5 to 4 is empty"));
    EXPECT_THAT(range("integer", 0.5, 4), HasSubstr("expected an integer"));
    EXPECT_THAT(range("log_real", 0, 4), HasSubstr("must be positive"));
    EXPECT_EQ(range("integer", 4, 40), "accepted");
}

TEST(SpaceFile, RejectsConditionsThatMakeNoSense) {
    EXPECT_THAT(rejection_with("/variables/1/when", {{"b", 1}}), HasSubstr("no variable 'b'"));
    EXPECT_THAT(rejection_with("/variables/1/when", {{"a", "z"}}), HasSubstr("never takes"));
    EXPECT_THAT(rejection_with("/variables/1/when", {{"a", {{"min", 1}}}}), HasSubstr("numbers"));
    EXPECT_THAT(rejection_with("/variables/1/when", Json::object()), HasSubstr("expected an"));
    EXPECT_THAT(rejection_with("/variables/0/when", {{"clip.side", 16}}),
                HasSubstr("depends on itself"));
    EXPECT_THAT(rejection_with("/variables/0/when", {{"a", "x"}}), HasSubstr("depends on itself"));
}

TEST(SpaceFile, RejectsConditionsOnRealNumbers) {
    const Json fixed{
        {"name", "a"}, {"path", Json::array()}, {"kind", "real"}, {"lower", 7}, {"upper", 7}};
    Json json = valid();
    json["variables"][0] = fixed;
    json["variables"][1]["when"] = {{"a", 7}};
    EXPECT_THAT(rejection(json), HasSubstr("needs a variable of at most 1000 distinct values"));
}

TEST(SpaceFile, RejectsConditionsTooEntangledToCount) {
    Json json = valid();
    Json when = Json::object();
    for (int i = 0; i < 20; ++i) {
        const std::string name = "switch" + std::to_string(i);
        json["variables"].push_back({{"name", name},
                                     {"path", Json::array()},
                                     {"kind", "categorical"},
                                     {"choices", {false, true}}});
        when[name] = true;
    }
    json["variables"][1]["when"] = when;
    EXPECT_THAT(rejection(json), HasSubstr("combinations of values"));
}

TEST(SpaceFile, RejectsRulesAboutUnknownNames) {
    EXPECT_THAT(rejection_with("/constraints", {"clip.sides < 3"}), HasSubstr("'clip.sides' is"));
    EXPECT_THAT(rejection_with("/constraints", {"clip.side <"}), HasSubstr("constraints[0]"));
    EXPECT_EQ(rejection_with("/constraints", {"clip.side <= clip.frames * 4"}), "accepted");
}

TEST(SpaceFile, ErrorsInFilesNameLineAndColumn) {
    const std::string path = testing::TempDir() + "space_file_test.json";
    std::ofstream(path) << "{\n  \"version\": 1,\n  \"name\": \"bad\",\n  \"base\": {},\n"
                        << "  \"variables\": [\n    {\"name\": \"clip.side\",\n"
                        << "     \"kind\": \"ordinal\",\n     \"choices\": []}\n  ]\n}\n";
    try {
        (void)SearchSpace::from_file(path);
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(),
                    HasSubstr(path + ", line 8, column 17: variables[0].choices: length 0"));
    }
}

TEST(SpaceFile, AnUnknownNameListsTheShippedSpaces) {
    try {
        (void)SearchSpace::from_file("hpc2egde");
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), HasSubstr("hpc2edge"));
        EXPECT_THAT(error.what(), HasSubstr("quickstart"));
    }
}

}  // namespace
}  // namespace edgeloop::space_file_test
