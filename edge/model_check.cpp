#include "model_check.hpp"

#include "model_bundle.hpp"
#include "model_file.hpp"
#include "runtime.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/numbers.hpp"

#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t digits_of_a_value = 8, values_at_once = 4096;

std::string content_of(const std::string& path, const FileName& expected, const char* what) {
    if (path.empty()) throw ConfigError(fmt::format("the {} of the job is not here", what));
    std::string bytes = read_file(path, expected.bytes);
    if (!(FileName::of(bytes) == expected))
        throw ConfigError(fmt::format("the {} is not the one that the job is about", what));
    return bytes;
}

/// Values as the process of a job says them: the bits of each in eight hexadecimal digits.
void append_values(const Json& answer, std::size_t count, std::vector<float>& values) {
    const std::string hex = answer.value("hex", "");
    if (hex.size() != count * digits_of_a_value)
        throw ConfigError("the process of the job gave other values than it said");
    for (std::size_t i = 0; i < count; ++i) {
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < digits_of_a_value; ++k) {
            const char c = hex[i * digits_of_a_value + k];
            const bool is_digit = c >= '0' && c <= '9';
            if (!is_digit && (c < 'a' || c > 'f'))
                throw ConfigError("the process of the job gave a value that is none");
            bits = bits << 4U | static_cast<std::uint32_t>(is_digit ? c - '0' : c - 'a' + 10);
        }
        float value = 0;
        std::memcpy(&value, &bits, sizeof value);
        values.push_back(value);
    }
}

}  // namespace

ModelUnderTest::ModelUnderTest(const ModelJob& job, const ModelFiles& files)
    : model_(content_of(files.model, job.model, "model")) {
    if (!job.has_vectors()) return;
    std::string bytes = content_of(files.vectors, job.vectors, "file of test vectors");
    try {
        vectors_.emplace(std::move(bytes), "the file of test vectors");
    } catch (const ConfigError& error) {
        throw NetworkError(error.problem(), error.why(), error.suggestion());
    }
    const std::string& of = vectors_->model_digest();
    if (!of.empty() && of != job.model.digest.hex())
        throw NetworkError("the test vectors are those of another model");
}

Descriptor ModelUnderTest::bundle() const {
    return sealed_bytes(encode_bundle(model_, vectors_ ? &*vectors_ : nullptr));
}

std::vector<float> ModelUnderTest::answers(JobProcess& process, int batch) const {
    const std::size_t each = vectors_->values_of_each(), all = vectors_->expected().size();
    std::vector<float> values;
    for (std::size_t first = 0; first < vectors_->count();
         first += static_cast<std::size_t>(batch)) {
        const Json answer = process.ask({{"do", "answer"}, {"first", first}});
        const Json said = answer.value("values", Json());
        const std::size_t expected = each * static_cast<std::size_t>(batch);
        if (!said.is_number_unsigned() || said.get<std::size_t>() != expected)
            throw ConfigError(
                fmt::format("the model answers {} values to {} vectors", said.dump(), batch),
                fmt::format("{} are expected of each", each));
        for (std::size_t from = 0; from < expected; from += values_at_once) {
            const std::size_t count = std::min(values_at_once, expected - from);
            append_values(process.ask({{"do", "values"}, {"from", from}, {"count", count}}), count,
                          values);
        }
        if (values.size() > all) values.resize(all);  // the last vector was repeated
    }
    return values;
}

void ModelUnderTest::judge(JobProcess& process, const MeasurementSettings& settings,
                           const std::string& device_class, Metrics& metrics, Json& record) const {
    metrics["model_size_mib"] = static_cast<double>(model_.size()) / bytes_per_mib;
    if (!vectors_) return;
    const int batch = settings.batches.front();
    (void)process.ask({{"do", "batch"}, {"size", batch}});
    record["vectors"] = to_json(compare(answers(process, batch), vectors_->expected(),
                                        vectors_->count(), vectors_->tolerance()),
                                vectors_->tolerance());
    if (vectors_->promise())
        record["promise"] = promise_verdict(*vectors_->promise(), device_class, settings, metrics);
}

}  // namespace edgeloop
