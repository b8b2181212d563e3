#include "file_runtime.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

constexpr std::uint64_t max_input_bytes = 1ULL << 30U;

std::string text_of(const ModelInput& input) {
    return fmt::format("{}:{}", fmt::join(input.shape, "x"), words_for(input.type));
}

std::uint64_t bytes_for(const ModelInput& input) {
    std::uint64_t bytes = bytes_of(input.type);
    for (const std::int64_t length : input.shape) {
        bytes *= static_cast<std::uint64_t>(length);
        if (bytes > max_input_bytes)
            throw ConfigError(fmt::format("an input of {} is too large", text_of(input)),
                              fmt::format("it has more than {} bytes", max_input_bytes));
    }
    return bytes;
}

/// A shape that is given, where the file leaves it open.
void merge(ModelInput& input, const ModelInput& declared, int batch, std::size_t number) {
    const auto refuse = [&](const std::string& why, const std::string& suggestion) {
        throw ConfigError(
            fmt::format("input {} of the model is {} (0: any)", number, text_of(declared)), why,
            suggestion);
    };
    if (input.shape.size() != declared.shape.size() || input.type != declared.type)
        refuse(fmt::format("what is given is {}", text_of(input)), "correct --input or --vectors");
    for (std::size_t axis = 0; axis < input.shape.size(); ++axis) {
        if (declared.shape[axis] == 0 || declared.shape[axis] == input.shape[axis]) continue;
        if (axis == 0)
            refuse(fmt::format("its batches are of {}, not of {}", declared.shape[0], batch),
                   fmt::format("measure it with --batch {}", declared.shape[0]));
        refuse(fmt::format("what is given is {}", text_of(input)), "correct --input or --vectors");
    }
}

std::map<std::string, FileRuntimeFactory>& all_file_runtimes() {
    static std::map<std::string, FileRuntimeFactory> all;
    return all;
}

}  // namespace

std::vector<ModelInput> inputs_for(int batch, const std::vector<ModelInput>& given,
                                   const std::vector<ModelInput>& declared) {
    std::vector<ModelInput> inputs = given.empty() ? declared : given;
    if (inputs.empty())
        throw ConfigError("nothing says what inputs the model takes", "a TorchScript file does not",
                          "say it, e.g. --input 1x3x32x32, or give --vectors");
    if (!declared.empty() && declared.size() != inputs.size())
        throw ConfigError(fmt::format("the model takes {} inputs", declared.size()),
                          fmt::format("{} are given", inputs.size()));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        ModelInput& input = inputs[i];
        // A scalar has no batches.
        const bool is_free = !given.empty() || (!input.shape.empty() && input.shape.front() == 0);
        if (is_free && !input.shape.empty()) input.shape.front() = batch;
        if (!declared.empty()) {
            ModelInput asked = input;  // also without anything given: its batches may be fixed
            if (!asked.shape.empty()) asked.shape.front() = batch;
            merge(asked, declared[i], batch, i);
        }
        if (std::find(input.shape.begin(), input.shape.end(), 0) != input.shape.end())
            throw ConfigError(
                fmt::format("input {} of the model is {} (0: any)", i, text_of(input)),
                "only the first axis may be free", "say its shape, e.g. --input 1x3x32x32");
    }
    return inputs;
}

FileRuntime::Tensor made_up(const ModelInput& input, std::size_t number) {
    FileRuntime::Tensor tensor{input.type, input.shape, {}};
    tensor.bytes.resize(static_cast<std::size_t>(bytes_for(input)));
    RandomStream random(1, "model inputs", 0, number);
    const std::size_t each = bytes_of(input.type);
    const auto put = [&](std::size_t at, auto value) {
        std::memcpy(tensor.bytes.data() + at, &value, sizeof value);
    };
    for (std::size_t at = 0; at < tensor.bytes.size(); at += each) switch (input.type) {
            case ElementType::f32:
                put(at, static_cast<float>(random.uniform()));
                break;
            case ElementType::f16:  // from 0.5 on, where all fractions are as far apart
                put(at, static_cast<std::uint16_t>(0x3800U | random.below(1024)));
                break;
            case ElementType::u8:
                put(at, static_cast<std::uint8_t>(random.below(256)));
                break;
            case ElementType::i8:
                put(at, static_cast<std::int8_t>(random.below(2)));
                break;
            case ElementType::i32:
                put(at, static_cast<std::int32_t>(random.below(2)));
                break;
            case ElementType::i64:
                put(at, static_cast<std::int64_t>(random.below(2)));
                break;
        }
    return tensor;
}

FileRuntime::FileRuntime(ModelJob job, std::string bundle)
    : job_(std::move(job)), bytes_(std::move(bundle)), bundle_(decode_bundle(bytes_)) {}

std::vector<ModelInput> FileRuntime::given() const {
    if (bundle_.inputs.empty()) return job_.inputs;
    std::vector<ModelInput> inputs;
    for (const TensorView& input : bundle_.inputs) inputs.push_back({input.shape, input.type});
    return inputs;
}

std::vector<ModelInput> FileRuntime::wanted(int batch) const {
    return inputs_for(batch, given(), declared());
}

void FileRuntime::prepare(int batch) {
    batch_ = batch;
    inputs_.clear();
    const std::vector<ModelInput> inputs = wanted(batch);
    for (std::size_t i = 0; i < inputs.size(); ++i) inputs_.push_back(made_up(inputs[i], i));
    set_inputs(inputs_);
}

std::vector<float> FileRuntime::answers(std::size_t first) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
        const TensorView& all = bundle_.inputs.at(i);
        const auto vectors = static_cast<std::size_t>(all.shape.front());
        const std::size_t each = all.bytes.size() / vectors;
        for (std::size_t k = 0; k < static_cast<std::size_t>(batch_); ++k) {
            const std::size_t vector =
                std::min(first + k, vectors - 1);  // the last again and again
            std::memcpy(inputs_[i].bytes.data() + k * each, all.bytes.data() + vector * each, each);
        }
    }
    set_inputs(inputs_);
    run();
    const std::vector<Tensor> made = outputs();
    std::vector<std::vector<float>> parts;
    for (const Tensor& tensor : made) {
        if (tensor.shape.empty() || tensor.shape.front() != batch_)
            throw ConfigError("an output of the model has not one part for each of its batch");
        parts.push_back(floats_of({tensor.type, tensor.shape, tensor.bytes}));
    }
    std::vector<float> values;
    for (int k = 0; k < batch_; ++k)
        for (const std::vector<float>& part : parts) {
            const auto each = static_cast<std::ptrdiff_t>(part.size()) / batch_;
            const auto begin = part.begin() + k * each;
            values.insert(values.end(), begin, begin + each);
        }
    return values;
}

bool add_file_runtimes(const std::vector<std::string>& names, const FileRuntimeFactory& make) {
    for (const std::string& name : names) all_file_runtimes()[name] = make;
    return true;
}

std::unique_ptr<Runtime> make_file_runtime(const ModelJob& job,
                                           const MeasurementSettings& settings) {
    const auto found = all_file_runtimes().find(settings.runtime);
    if (found != all_file_runtimes().end())
        return found->second(job, read_file(settings.weights), settings);
    std::vector<std::string> names;
    for (const auto& [name, make] : all_file_runtimes()) names.push_back(name);
    throw ConfigError(
        fmt::format("this agent was built without the runtime '{}' for models in files",
                    settings.runtime),
        fmt::format("it has {}", fmt::join(names, ", ")), "edge/README.md says what others need");
}

}  // namespace edgeloop
