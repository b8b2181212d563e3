// Runs an ONNX model on its test vectors with ONNX Runtime's C API and compares the answers.
//
//   c++ -std=c++17 -O2 check.cpp -I DIR -l onnxruntime -o check    (DIR: of onnxruntime_c_api.h)
//   ./check model.onnx [VECTORS]           default: model.onnx.vectors.safetensors
//
// Exits with 0 when all answers are as expected, with 1 when one differs, with 2 on an error.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <onnxruntime_c_api.h>

namespace {

// A safetensors file: u64 length of a JSON header, the header, the values. This finds what it needs
// in headers as edgeloop writes them; use a JSON library for those of others.
class Vectors {
  public:
    explicit Vectors(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        if (!file) throw std::runtime_error("cannot read " + path);
        bytes_.assign(std::istreambuf_iterator<char>(file), {});
        std::uint64_t length = 0;
        if (bytes_.size() < sizeof length) throw std::runtime_error(path + " is too short");
        std::memcpy(&length, bytes_.data(), sizeof length);
        if (length > bytes_.size() - sizeof length) throw std::runtime_error(path + " is damaged");
        header_ = bytes_.substr(sizeof length, length);
        values_ = sizeof length + length;
    }

    std::string text(const std::string& key) const {
        const std::size_t begin = after("\"" + key + "\":\"");
        return header_.substr(begin, header_.find('"', begin) - begin);
    }
    std::vector<std::int64_t> shape(const std::string& tensor) const {
        return numbers(tensor, "shape");
    }
    bool is_bytes(const std::string& tensor) const {
        return header_.compare(after("\"dtype\":", after("\"" + tensor + "\":{")), 4, "\"U8\"") ==
               0;
    }
    char* values(const std::string& tensor) {
        const std::vector<std::int64_t> place = numbers(tensor, "data_offsets");
        const auto begin = values_ + static_cast<std::size_t>(place.at(0));
        if (values_ + static_cast<std::size_t>(place.at(1)) > bytes_.size())
            throw std::runtime_error(tensor + " lies outside the file");
        return &bytes_[begin];
    }

  private:
    std::size_t after(const std::string& what, std::size_t from = 0) const {
        const std::size_t place = header_.find(what, from);
        if (place == std::string::npos) throw std::runtime_error("the vectors have no " + what);
        return place + what.size();
    }
    std::vector<std::int64_t> numbers(const std::string& tensor, const std::string& key) const {
        const std::size_t begin = after("\"" + key + "\":[", after("\"" + tensor + "\":{"));
        const char* text = header_.c_str() + begin;
        std::vector<std::int64_t> found;
        while (*text != '\0' && *text != ']') {
            char* end = nullptr;
            found.push_back(std::strtoll(text, &end, 10));
            if (end == text) throw std::runtime_error(key + " is damaged");
            text = *end == ',' ? end + 1 : end;
        }
        return found;
    }

    std::string bytes_, header_;
    std::size_t values_ = 0;  // where they begin
};

const OrtApi& ort() {
    static const OrtApi* const api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    if (api == nullptr) throw std::runtime_error("ONNX Runtime is older than its header");
    return *api;
}

void require(OrtStatus* status) {
    if (status == nullptr) return;
    const std::string message = ort().GetErrorMessage(status);
    ort().ReleaseStatus(status);
    throw std::runtime_error(message);
}

// What ONNX Runtime holds stays until the process ends.
class Model {
  public:
    explicit Model(const std::string& path) {
        OrtEnv* environment = nullptr;
        OrtSessionOptions* options = nullptr;
        OrtAllocator* allocator = nullptr;
        require(ort().CreateEnv(ORT_LOGGING_LEVEL_WARNING, "check", &environment));
        require(ort().CreateSessionOptions(&options));
        require(ort().SetIntraOpNumThreads(options, 1));
        require(ort().CreateSession(environment, path.c_str(), options, &session_));
        require(ort().GetAllocatorWithDefaultOptions(&allocator));
        require(ort().SessionGetInputName(session_, 0, allocator, &input_));
        require(ort().SessionGetOutputName(session_, 0, allocator, &output_));
        require(ort().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
    }

    // clips: `shape` of them, float32 or bytes; gives `count` numbers.
    std::vector<float> run(char* clips, std::size_t bytes, const std::vector<std::int64_t>& shape,
                           bool are_bytes, std::size_t count) const {
        OrtValue *input = nullptr, *output = nullptr;
        require(ort().CreateTensorWithDataAsOrtValue(
            memory_, clips, bytes, shape.data(), shape.size(),
            are_bytes ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
            &input));
        const OrtValue* const inputs[] = {input};
        require(ort().Run(session_, nullptr, &input_, inputs, 1, &output_, 1, &output));
        float* values = nullptr;
        require(ort().GetTensorMutableData(output, reinterpret_cast<void**>(&values)));
        std::vector<float> answers(values, values + count);
        ort().ReleaseValue(input);
        ort().ReleaseValue(output);
        return answers;
    }

  private:
    OrtSession* session_ = nullptr;
    OrtMemoryInfo* memory_ = nullptr;
    char *input_ = nullptr, *output_ = nullptr;
};

// The number of vectors that differ; prints a line for each.
std::int64_t check(const Model& model, Vectors& vectors) {
    std::vector<std::int64_t> shape = vectors.shape("input");
    const std::int64_t count = shape.at(0);
    const auto outputs = static_cast<std::size_t>(vectors.shape("expected").at(1));
    const bool are_bytes = vectors.is_bytes("input");
    std::size_t clip_bytes = are_bytes ? 1 : sizeof(float);
    for (std::size_t i = 1; i < shape.size(); ++i) clip_bytes *= static_cast<std::size_t>(shape[i]);
    const std::string fixed = vectors.text("batch");
    const std::int64_t batch = fixed == "any" ? 1 : std::atoll(fixed.c_str());
    if (batch < 1 || count % batch != 0)
        throw std::runtime_error("the batch does not fit the vectors");
    const double absolute = std::atof(vectors.text("absolute_tolerance").c_str());
    const double relative = std::atof(vectors.text("relative_tolerance").c_str());
    std::int64_t different = 0;
    for (std::int64_t first = 0; first + batch <= count; first += batch) {
        shape[0] = batch;
        const auto clips = static_cast<std::size_t>(batch), begin = static_cast<std::size_t>(first);
        std::vector<char> input(clips * clip_bytes);
        std::memcpy(input.data(), vectors.values("input") + begin * clip_bytes, input.size());
        const std::vector<float> answers =
            model.run(input.data(), input.size(), shape, are_bytes, clips * outputs);
        for (std::size_t i = 0; i < clips; ++i) {
            bool differs = false;
            for (std::size_t t = 0; t < outputs; ++t) {
                float expected = 0;
                std::memcpy(
                    &expected,
                    vectors.values("expected") + ((begin + i) * outputs + t) * sizeof expected,
                    sizeof expected);
                const double difference =
                    std::abs(double(answers[i * outputs + t]) - double(expected));
                // Written so that what is no number differs.
                if (!(difference <= absolute + relative * std::abs(double(expected))))
                    differs = true;
            }
            if (!differs) continue;
            ++different;
            std::printf("  vector %zu differs\n", begin + i);
        }
    }
    return different;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        std::fprintf(stderr, "usage: %s MODEL.onnx [VECTORS]\n", argv[0]);
        return 2;
    }
    try {
        const std::string path = argv[1];
        Vectors vectors(argc == 3 ? argv[2] : path + ".vectors.safetensors");
        const Model model(path);
        const std::int64_t different = check(model, vectors);
        const std::int64_t count = vectors.shape("input").at(0);
        if (different == 0)
            std::printf("%s: ok, %lld vectors\n", path.c_str(), static_cast<long long>(count));
        else
            std::printf("%s: %lld of %lld vectors differ\n", path.c_str(),
                        static_cast<long long>(different), static_cast<long long>(count));
        return different == 0 ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
