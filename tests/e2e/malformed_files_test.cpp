// Damaged space files and specs through the programs that read them: one line that names the place,
// exit code 2.
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"

#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Damage {
    std::string name;
    std::string text;
    std::string place;  ///< what follows the file's name
    std::string says;
};

/// A space with its two variables, two constraints at most and a base, one a line.
std::string space_with(const std::string& first, const std::string& second,
                       const std::string& constraint = "1 < 2",
                       const std::string& base = R"({"channels": 4, "kernel": [3, 3, 3]})") {
    return R"({"version": 1, "name": "damaged",
"base": {"family": "cnn3d", "architecture": {"stages": [
)" + base + R"(]}},
"variables": [
)" + first +
           ",\n" + second + "],\n\"constraints\": [\n\"" + constraint + "\"]}\n";
}

const std::string side = R"({"name": "clip.side", "kind": "ordinal", "choices": [16, 32]})";
const std::string frames = R"({"name": "clip.frames", "kind": "integer", "lower": 4, "upper": 8})";

std::vector<Damage> damaged_spaces() {
    const auto first = [](const std::string& variable, const std::string& place,
                          const std::string& says) {
        return Damage{variable, space_with(variable, frames), place, says};
    };
    return {
        {"empty file", "", ", line 1, column 1", "not valid JSON"},
        {"not UTF-8", "{\"version\": 1,\n \"name\": \"\xff\xfe\"}", ", line 2", "UTF-8"},
        {"deep nesting", std::string(1000000, '['), ", line 1, column 66", "nested deeper"},
        {"number too large", "{\"version\":\n 1e999}", ", line 2", "too large"},
        first(R"({"name": "clip.side", "kind": "ordinal", "chioces": [16]})", ", line 5, column 53",
              "unknown key 'chioces'; did you mean 'choices'?"),
        first(R"({"name": "clip.side", "kind": "ordinal", "choices": []})", ", line 5, column 53",
              "length 0"),
        first(R"({"name": "clip.side", "kind": "ordinal", "choices": 16})", ", line 5",
              "expected a list, found number"),
        first(R"({"name": "clip.side", "kind": "integer", "lower": 1, "upper": 1e300})", ", line 5",
              "outside"),
        {"duplicate names", space_with(side, side), ", line 6, column 10",
         "'clip.side' is declared twice"},
        {"cyclic condition",
         space_with(
             R"({"name": "a", "path": [], "kind": "ordinal", "choices": [1, 2], "when": {"b": 1}})",
             R"({"name": "b", "path": [], "kind": "ordinal", "choices": [1, 2], "when": {"a": 1}})"),
         ", line 5, column 73", "depends on itself"},
        {"rule about nothing", space_with(side, frames, "depht < 3"), ", line 8, column 1",
         "'depht' is neither a variable nor a path"},
        {"rule too deep", space_with(side, frames, std::string(4000, '(') + "1 < 2"), ", line 8",
         "less nesting"},
        {"rule too long", space_with(side, frames, std::string(5000, '(') + "1 < 2"), ", line 8",
         "use at most 4096"},
    };
}

/// A spec with one stage.
std::string spec_with(const std::string& stage, const std::string& family = "cnn3d") {
    return "{\"family\": \"" + family + "\",\n\"architecture\": {\"stages\": [\n" + stage + "]}}";
}

std::vector<Damage> damaged_specs() {
    std::string many = R"({"family": "swin3d", "architecture": {
"patch": [2, 4, 4], "embed_dim": 24, "heads": [3],
"depths": [1000000000]}})";
    std::string layers = R"({"channels": 4, "kernel": [3, 3, 3]})";
    const std::string one = layers;
    for (int i = 0; i < 20000; ++i) layers += ",\n" + one;
    return {
        {"empty file", "", ", line 1, column 1", "not valid JSON"},
        {"10^9 layers", many, ", line 3, column 12", "value 1000000000 is outside 1 to 64"},
        {"20 000 stages", spec_with(layers), ", line 2, column 28", "length 20001 is outside"},
        {"unknown key", spec_with(R"({"channels": 4, "kernal": [3, 3, 3]})"), ", line 3, column 27",
         "unknown key 'kernal'; did you mean 'kernel'?"},
        {"wrong type", spec_with(R"({"channels": "four", "kernel": [3, 3, 3]})"),
         ", line 3, column 14", "expected an integer, found string"},
        {"missing key", spec_with(R"({"kernel": [3, 3, 3]})"), ", line 3, column 1",
         "'channels' is missing"},
        {"unknown family", spec_with(one, "rnn"), ", line 1, column 12", "unknown family 'rnn'"},
        {"huge number", spec_with(R"({"channels": 1e300, "kernel": [3, 3, 3]})"), ", line 3",
         "outside"},
        {"not a number", spec_with(R"({"channels": NaN, "kernel": [3, 3, 3]})"), ", line 3",
         "not valid JSON"},
        {"deep nesting", std::string(100000, '{'), ", line 1", "not valid JSON"},
        {"not UTF-8", spec_with("\"\xc3\x28\""), ", line 3", "UTF-8"},
        {"heads that do not fit", R"({"family": "swin3d", "architecture": {
"embed_dim": 24, "heads": [5], "depths": [2]}})",
         "", "heads 5 of stage 0 do not divide its width 24"},
        {"too large", spec_with(R"({"channels": 65536, "kernel": [3, 3, 3]},
{"channels": 65536, "kernel": [3, 3, 3]})"),
         "", "parameters, over the limit"},
    };
}

void expect_one_clear_error(const ProgramResult& result, const std::string& file,
                            const Damage& damage) {
    EXPECT_EQ(result.code, 2) << result.output;
    EXPECT_THAT(result.output, AllOf(HasSubstr(file + damage.place), HasSubstr(damage.says)));
    std::istringstream lines(result.output);
    int errors = 0;
    for (std::string line; std::getline(lines, line);)
        errors += line.find(" error ") != std::string::npos ? 1 : 0;
    EXPECT_EQ(errors, 1) << result.output;
    EXPECT_LT(result.output.size(), 1000u) << "an error as long as its file";
}

TEST(MalformedFiles, SpacesAreRefusedByTheSearch) {
    const TemporaryFolder folder;
    const std::string file = folder.path("damaged.json");
    ASSERT_FALSE(damaged_spaces().empty());
    for (const Damage& damage : damaged_spaces()) {
        SCOPED_TRACE(damage.name);
        write_file_atomic(file, damage.text);
        expect_one_clear_error(run({program("edgeloop-search"), "--data", e2e_data("shards"),
                                    "--run-dir", folder.path("run"), "--space", file}),
                               file, damage);
        EXPECT_FALSE(std::filesystem::exists(folder.path("run/journal.jsonl")));
    }
}

TEST(MalformedFiles, SpecsAreRefusedByTheModelProgram) {
    const TemporaryFolder folder;
    const std::string file = folder.path("damaged.json");
    ASSERT_FALSE(damaged_specs().empty());
    for (const Damage& damage : damaged_specs()) {
        SCOPED_TRACE(damage.name);
        write_file_atomic(file, damage.text);
        expect_one_clear_error(run({program("edgeloop-model"), "describe", "--spec", file}), file,
                               damage);
    }
}

}  // namespace
}  // namespace edgeloop::test
