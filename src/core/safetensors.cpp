#include "edgeloop/core/safetensors.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/little_endian.hpp"

#include <cstdint>
#include <cstring>

namespace edgeloop {
namespace {

constexpr std::size_t length_bytes = sizeof(std::uint64_t);

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
    throw ConfigError(where + ": " + what, "weights are read from safetensors files of float32");
}

/// The array an entry of the header describes, copied out of `values`.
FloatArray array_of(const Json& entry, std::string_view values, const std::string& where) {
    if (entry.at("dtype").get<std::string>() != "F32") refuse(where, "a tensor is not F32");
    FloatArray array;
    array.shape = entry.at("shape").get<std::vector<std::int64_t>>();
    const auto place = entry.at("data_offsets").get<std::vector<std::uint64_t>>();
    std::uint64_t count = 1;
    for (const std::int64_t length : array.shape) {
        if (length < 0 || (length > 0 && count > values.size() / std::uint64_t(length)))
            refuse(where, "a shape does not fit the file");
        count *= std::uint64_t(length);
    }
    if (place.size() != 2 || place[0] > place[1] || place[1] > values.size() ||
        place[1] - place[0] != count * sizeof(float))
        refuse(where, "a tensor lies outside the file");
    array.values.resize(count);
    if (count > 0) std::memcpy(array.values.data(), values.data() + place[0], place[1] - place[0]);
    return array;
}

}  // namespace

std::string encode_safetensors(const std::map<std::string, FloatArray>& arrays) {
    Json header = Json::object();
    std::string values;
    for (const auto& [name, array] : arrays) {
        const std::uint64_t begin = values.size();
        values.append(reinterpret_cast<const char*>(array.values.data()),
                      array.values.size() * sizeof(float));
        header[name] = {{"dtype", "F32"},
                        {"shape", array.shape},
                        {"data_offsets", {begin, std::uint64_t(values.size())}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + length_bytes - 1) / length_bytes * length_bytes, ' ');
    std::string bytes;
    put_little_endian<std::uint64_t>(bytes, text.size());
    return bytes + text + values;
}

std::map<std::string, FloatArray> decode_safetensors(std::string_view bytes,
                                                     const std::string& where) {
    if (bytes.size() < length_bytes) refuse(where, "the file is too short");
    const auto length = get_little_endian<std::uint64_t>(bytes);
    if (length > bytes.size() - length_bytes) refuse(where, "the header is longer than the file");
    const Json header = parse_json(bytes.substr(length_bytes, length), where);
    const std::string_view values = bytes.substr(length_bytes + length);
    std::map<std::string, FloatArray> arrays;
    try {
        for (const auto& [name, entry] : header.items())
            if (name != "__metadata__") arrays[name] = array_of(entry, values, where);
    } catch (const Json::exception& error) {
        refuse(where, error.what());
    }
    return arrays;
}

}  // namespace edgeloop
