// Models in files through the real programs: measured by hand, and through a bridge.
#include "support/bridge_process.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/safetensors.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/script.h>
#include <unistd.h>

namespace edgeloop::test {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

Words operator+(Words left, const Words& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

/// What --json prints, without what the log may say around it.
Json json_in(const ProgramResult& result) {
    const auto begin = result.output.find("{\n"), end = result.output.rfind("\n}");
    if (begin == std::string::npos || end == std::string::npos) return {};
    return parse_json(result.output.substr(begin, end + 2 - begin), "output");
}

std::string bytes_of(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

constexpr const char* endless_body =
    "    while bool(x.sum() > -1.0):\n        x = x + 1.0\n    return x\n";

class ModelFile : public testing::Test {
  protected:
    /// A TorchScript file of somebody whose forward() is this.
    [[nodiscard]] std::string script(const std::string& body, const std::string& name = "m.pt") {
        torch::jit::Module module("SomebodysNetwork");
        module.define("def forward(self, x):\n" + body);
        module.save(folder.path(name));
        return folder.path(name);
    }
    /// Three vectors of `each` values.
    [[nodiscard]] std::string vectors(const std::vector<float>& inputs,
                                      const std::vector<std::int64_t>& shape,
                                      const std::vector<float>& expected,
                                      const std::map<std::string, std::string>& said = {}) {
        const std::string in = bytes_of(inputs), out = bytes_of(expected);
        SafeTensors content;
        content.tensors["input"] = {ElementType::f32, shape, in};
        content.tensors["expected"] = {
            ElementType::f32,
            {shape.front(), static_cast<std::int64_t>(expected.size()) / shape.front()},
            out};
        content.metadata = said;
        write_file_atomic(folder.path("vectors.safetensors"), encode_safetensors(content));
        return folder.path("vectors.safetensors");
    }
    [[nodiscard]] static ProgramResult measure(const Words& more) {
        return run(Words{program("edgeloop-edge"), "measure", "--seconds", "0.05"} + more);
    }
    [[nodiscard]] Words submit(const Words& more) const {
        return Words{program("edgeloop-bridge"),
                     "submit",
                     "--connect",
                     bridge->endpoint(),
                     "--seconds",
                     "0.05",
                     "--wait",
                     "--timeout",
                     "90",
                     "--device",
                     "board"} +
               more;
    }
    void start_bridge() { bridge = std::make_unique<BridgeProcess>(folder.path("store")); }
    void start_device(const Words& more = {}) {
        ChildOptions child;
        child.arguments = Words{program("edgeloop-edge"),
                                "serve",
                                "--connect",
                                bridge->endpoint(),
                                "--class",
                                "board",
                                "--reference-every",
                                "0",
                                "--name",
                                "e2e-model-" + std::to_string(::getpid())} +
                          more;
        child.output_file = folder.path("device.log");
        device = std::make_unique<ChildProcess>(child);
    }

    TemporaryFolder folder;
    std::unique_ptr<BridgeProcess> bridge;
    std::unique_ptr<ChildProcess> device;
};

TEST_F(ModelFile, TorchScriptIsMeasuredAndComparedByHand) {
    const std::string model = script("    return x.sum(1, keepdim=True) * 2\n");
    const std::string good = vectors(
        {1, 2, 3, 4, 5, 6}, {3, 2}, {6, 14, 22},
        {{"model_digest", digest(read_file(model)).hex()},
         {"promise",
          R"({"device_class":"other","runtime":"torchscript","threads":1,"latency_ms":1})"}});
    const ProgramResult held = measure({"--model", model, "--vectors", good, "--batch", "1,2"});
    ASSERT_EQ(held.code, 0) << held.output;
    EXPECT_THAT(held.output, HasSubstr("latency_ms "));
    EXPECT_THAT(held.output, HasSubstr("latency_b2_ms "));
    EXPECT_THAT(held.output, HasSubstr("prediction               holds (3 vectors"));
    EXPECT_THAT(held.output, HasSubstr("latency promise          unknown (not comparable: "));
    EXPECT_EQ(held.output.find("preprocess_ms"), std::string::npos);
    // As JSON: the record of any measurement, and what came of the vectors.
    const Json record =
        json_in(measure({"--model", model, "--vectors", good, "--json"})).at("record");
    EXPECT_EQ(record.at("vectors").at("holds"), true);
    EXPECT_TRUE(record.contains("before"));
    EXPECT_TRUE(record.contains("sandbox"));

    const std::string wrong = vectors({1, 2, 3, 4, 5, 6}, {3, 2}, {6, 14.5, 22});
    const ProgramResult differs = measure({"--model", model, "--vectors", wrong});
    EXPECT_EQ(differs.code, 2);
    EXPECT_THAT(differs.output, HasSubstr("does not answer as its test vectors say"));
    EXPECT_THAT(differs.output, HasSubstr("first wrong: 1"));
    const std::string others = vectors({1, 2}, {1, 2}, {6}, {{"model_digest", "of another"}});
    const ProgramResult foreign = measure({"--model", model, "--vectors", others});
    EXPECT_EQ(foreign.code, 2);
    EXPECT_THAT(foreign.output, HasSubstr("test vectors of another model"));

    // Without vectors somebody has to say the shape.
    const ProgramResult unknown = measure({"--model", model});
    EXPECT_EQ(unknown.code, 2);
    EXPECT_THAT(unknown.output, HasSubstr("--input 1x3x32x32"));
    EXPECT_EQ(measure({"--model", model, "--input", "1x8"}).code, 0);
    const ProgramResult misfit = measure({"--model", model, "--input", "1"});
    EXPECT_EQ(misfit.code, 2);
    EXPECT_THAT(misfit.output, HasSubstr("cannot be run on such inputs"));
}

TEST_F(ModelFile, BadFilesAreOneLineEach) {
    const std::string model = script("    return x\n");
    const std::string bytes = read_file(model);
    write_file_atomic(folder.path("half.pt"), bytes.substr(0, bytes.size() / 2));
    write_file_atomic(folder.path("text.pt"), "no model");
    const std::string sparse = folder.path("sparse.pt");
    write_file_atomic(sparse, bytes);
    std::filesystem::resize_file(sparse, std::uintmax_t{4} << 30U);
    const std::vector<std::pair<Words, std::string>> cases{
        {{"--model", folder.path("half.pt"), "--input", "1x2"}, "cannot load this TorchScript"},
        {{"--model", folder.path("text.pt")}, "is no model"},
        {{"--model", sparse, "--input", "1x2"}, "has 4294967296 bytes"},
        {{"--model", model, "--vectors", sparse}, "has 4294967296 bytes"},
        {{"--model", model, "--vectors", model}, "safetensors"},
        {{"--model", model, "--input", "1xy"}, "--input"},
        {{"--model", model, "--spec", "human"}, "exclude each other"},
        {{"--vectors", model, "--spec", "human"}, "belong to --model"},
        {{}, "nothing says what to measure"},
        {{"--model", model, "--runtime", "onnx"}, "does not run on the runtime 'onnx'"}};
    for (const auto& [words, said] : cases) {
        const ProgramResult result = measure(words);
        EXPECT_EQ(result.code, 2) << result.output;
        EXPECT_THAT(result.output, HasSubstr(said));
        EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
    }
}

TEST_F(ModelFile, HostileScriptsAreContained) {
    const std::string endless = script(endless_body);
    const ProgramResult late = measure({"--model", endless, "--input", "1x2", "--time-limit", "2"});
    EXPECT_EQ(late.code, 2);
    EXPECT_THAT(late.output, HasSubstr("no answer within 2 s"));
    const std::string greedy = script("    return x.expand(1000000, 100000).clone()\n");
    const ProgramResult large =
        measure({"--model", greedy, "--input", "1x1", "--memory-limit-mib", "500"});
    EXPECT_EQ(large.code, 2);
    EXPECT_THAT(large.output, HasSubstr("memory"));
    const std::string raising = script("    assert False, '\x1b[31mred'\n    return x\n");
    const ProgramResult red = measure({"--model", raising, "--input", "1x1"});
    EXPECT_EQ(red.code, 2);
    EXPECT_EQ(red.output.find('\x1b'), std::string::npos);
}

TEST_F(ModelFile, TorchScriptOfOthersNeedsTheDevicesLeave) {
    start_bridge();
    start_device();
    const std::string model = script("    return x.sum(1, keepdim=True)\n");
    const std::string given = vectors({1, 2, 3, 4}, {2, 2}, {3, 7});
    const Words ask = submit({"--model", model, "--vectors", given, "--json"});
    const ProgramResult refused = run(ask);
    EXPECT_EQ(refused.code, 2) << refused.output;
    EXPECT_THAT(refused.output, HasSubstr("TorchScript files of others: they are code"));
    device->terminate();
    start_device({"--accept", "onnx,torchscript", "--time-limit", "6"});
    const ProgramResult measured = run(ask);
    ASSERT_EQ(measured.code, 0) << measured.output;
    const Json answer = json_in(measured);
    EXPECT_GT(answer.at("metrics").at("latency_ms").get<double>(), 0);
    EXPECT_EQ(answer.at("record").at("vectors").at("holds"), true);
    EXPECT_EQ(answer.at("record").at("vectors").at("vectors"), 2);
    // A hostile one fails, and what follows is measured as ever.
    const std::string endless = script(endless_body, "endless.pt");
    const ProgramResult killed = run(submit({"--model", endless, "--input", "1x2"}));
    EXPECT_EQ(killed.code, 2);
    EXPECT_THAT(killed.output, HasSubstr("no answer within 6 s"));
    EXPECT_EQ(run(submit({"--model", model, "--input", "1x3"})).code, 0);
    EXPECT_FALSE(device->poll().has_value());
}

TEST_F(ModelFile, ABridgeThatIsKilledKeepsTheModel) {
    start_bridge();
    const std::string model = script("    return x * 2.0\n");
    const Words ask = submit({"--model", model, "--input", "1x4"});
    Words leave = ask;
    leave.erase(std::find(leave.begin(), leave.end(), "--wait"));
    const ProgramResult left = run(leave);
    ASSERT_EQ(left.code, 0) << left.output;
    bridge->kill();
    bridge->start();
    const ProgramResult status =
        run({program("edgeloop-bridge"), "status", "--json", "--connect", bridge->endpoint()});
    ASSERT_EQ(status.code, 0) << status.output;
    EXPECT_EQ(json_in(status).at("open_jobs"), 1) << "it waits for a device";
    EXPECT_EQ(read_file(folder.path("store/models/") + digest(read_file(model)).hex() + "-" +
                        std::to_string(std::filesystem::file_size(model))),
              read_file(model));
    start_device({"--accept", "onnx,torchscript"});
    const ProgramResult measured = run(ask);
    ASSERT_EQ(measured.code, 0) << measured.output;
    EXPECT_THAT(measured.output, HasSubstr("latency_ms "));
}

class OnnxFile : public ModelFile {
  protected:
    /// Whether this build has ONNX Runtime.
    [[nodiscard]] static bool has_runtime() {
        const ProgramResult info = run({program("edgeloop-edge"), "info"});
        return info.output.find("\"onnxruntime\"") != std::string::npos;
    }
    const std::string classifier = test_data("models/classifier.onnx");
};

TEST_F(OnnxFile, WithoutItsRuntimeThereIsAReason) {
    if (has_runtime()) GTEST_SKIP() << "this build has ONNX Runtime";
    const ProgramResult result = measure({"--model", classifier});
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.output, HasSubstr("built without the runtime 'onnx'"));
}

TEST_F(OnnxFile, AClassifierOfSomebodyIsMeasuredAsOursAre) {
    if (!has_runtime()) GTEST_SKIP() << "this build has no ONNX Runtime";
    // The answer that make_models.py says: two pictures of one colour each.
    std::vector<float> pictures, classes;
    for (const auto& [r, g, b] : {std::tuple(1.F, 0.F, 2.F), std::tuple(0.5F, 3.F, 0.F)}) {
        for (const float colour : {r, g, b}) pictures.insert(pictures.end(), 32 * 32, colour);
        for (int k = 0; k < 10; ++k)
            classes.push_back(static_cast<float>(k) * (r + 0.1F) + 0.5F * g - b);
    }
    const std::string given = vectors(pictures, {2, 3, 32, 32}, classes);
    const ProgramResult by_hand =
        measure({"--model", classifier, "--vectors", given, "--batch", "1,4"});
    ASSERT_EQ(by_hand.code, 0) << by_hand.output;
    EXPECT_THAT(by_hand.output, HasSubstr("prediction               holds (2 vectors"));
    EXPECT_EQ(measure({"--model", classifier}).code, 0) << "the file says its shapes";
    start_bridge();
    start_device();
    const ProgramResult sent = run(submit({"--model", classifier, "--vectors", given, "--json"}));
    ASSERT_EQ(sent.code, 0) << sent.output;
    const Json theirs = json_in(sent);
    const ProgramResult design =
        run(submit({"--spec", test_data("specs/cnn3d_tiny.json"), "--json"}));
    ASSERT_EQ(design.code, 0) << design.output;
    // The same metrics as a design, but for what only a network of ours has.
    const Json ours = json_in(design);
    for (const auto& [name, value] : ours.items())
        if (name != "parameters" && name != "preprocess_ms" && name != "pipeline_ms") {
            EXPECT_TRUE(theirs.at("metrics").contains(name)) << name;
        }
    EXPECT_EQ(theirs.at("record").at("vectors").at("holds"), true);
}

TEST_F(OnnxFile, AnOperatorThatTheRuntimeLacksIsAReason) {
    if (!has_runtime()) GTEST_SKIP() << "this build has no ONNX Runtime";
    const ProgramResult result = measure({"--model", test_data("models/unknown_operator.onnx")});
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.output, HasSubstr("NoSuchOperator"));
    const std::string bytes = read_file(classifier);
    write_file_atomic(folder.path("half.onnx"), bytes.substr(0, bytes.size() / 2));
    EXPECT_THAT(measure({"--model", folder.path("half.onnx")}).output, HasSubstr("ends too early"));
    EXPECT_THAT(measure({"--model", classifier, "--input", "1x3x31x32"}).output,
                HasSubstr("input 0 of the model"));
}

}  // namespace
}  // namespace edgeloop::test
