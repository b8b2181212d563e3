#include "edgeloop/core/safetensors.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/little_endian.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t length_bytes = sizeof(std::uint64_t);
constexpr const char* metadata_key = "__metadata__";

struct NamedType {
    ElementType type;
    std::string_view name;
    std::size_t bytes;
};
constexpr std::array<NamedType, 6> types{{{ElementType::f32, "F32", 4},
                                          {ElementType::f16, "F16", 2},
                                          {ElementType::u8, "U8", 1},
                                          {ElementType::i8, "I8", 1},
                                          {ElementType::i32, "I32", 4},
                                          {ElementType::i64, "I64", 8}}};

const NamedType& entry_of(ElementType type) {
    return *std::find_if(types.begin(), types.end(),
                         [type](const NamedType& entry) { return entry.type == type; });
}

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
    throw ConfigError(where + ": " + what, "this is read as a safetensors file");
}

/// Not by parse_json(), which takes quadratic time for an object of many objects. Of a key that is
/// there twice the last counts; if they lie apart there is a hole.
Json header_of(std::string_view text, const std::string& where) {
    try {
        return parse_kept_json(text);
    } catch (const CorruptState& error) {
        refuse(where, error.what());
    } catch (const Json::exception&) {
        refuse(where, "the header is no JSON");
    }
}

/// Bytes from which on and to which a tensor lies.
using Place = std::pair<std::uint64_t, std::uint64_t>;

/// The tensor that an entry of the header describes. @param place  gets where it says it lies.
TensorView tensor_of(const Json& entry, std::string_view values, const std::string& where,
                     Place& place) {
    require_known_keys(entry, {"dtype", "shape", "data_offsets"}, where);
    const auto& type_name = entry.at("dtype").get_ref<const std::string&>();
    const auto* const type = std::find_if(types.begin(), types.end(), [&](const NamedType& known) {
        return known.name == type_name;
    });
    if (type == types.end()) refuse(where, "a tensor has elements of another type than is read");
    TensorView tensor{type->type, {}, {}};
    const Json& shape = entry.at("shape");
    if (!shape.is_array() || shape.size() > max_safetensors_axes)
        refuse(where, "a shape is no list, or has too many axes");
    std::uint64_t size = type->bytes;
    for (const Json& length : shape) {
        if (!length.is_number_unsigned()) refuse(where, "a shape is not of whole numbers");
        const auto count = length.get<std::uint64_t>();
        // An axis after one of length 0 is bounded as well.
        if (count > values.size() || (count > 0 && size > values.size() / count))
            refuse(where, "a shape does not fit the file");
        size *= count;
        tensor.shape.push_back(static_cast<std::int64_t>(count));
    }
    const Json& offsets = entry.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
        refuse(where, "a place is not of two whole numbers");
    place = {offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
    if (place.first > place.second || place.second > values.size() ||
        place.second - place.first != size)
        refuse(where, "a tensor lies outside the file, or has another size than its shape");
    tensor.bytes = values.substr(place.first, size);
    return tensor;
}

void require_gapless(std::vector<Place> places, std::uint64_t end, const std::string& where) {
    std::sort(places.begin(), places.end());
    std::uint64_t at = 0;
    for (const auto& [begin, after] : places) {
        if (begin != at) refuse(where, "its tensors overlap, or leave a hole");
        at = after;
    }
    if (at != end) refuse(where, "its tensors are not all of the file");
}

}  // namespace

std::string_view name_of(ElementType type) { return entry_of(type).name; }

std::size_t bytes_of(ElementType type) { return entry_of(type).bytes; }

std::string encode_safetensors(const SafeTensors& content) {
    Json header = Json::object();
    if (!content.metadata.empty()) header[metadata_key] = content.metadata;
    std::uint64_t end = 0;
    for (const auto& [name, tensor] : content.tensors) {
        std::uint64_t size = bytes_of(tensor.type);
        for (const std::int64_t length : tensor.shape) size *= static_cast<std::uint64_t>(length);
        EDGELOOP_EXPECT(size == tensor.bytes.size(), "a tensor without the bytes of its shape");
        EDGELOOP_EXPECT(name != metadata_key, "a tensor of a name that is not free");
        const std::uint64_t begin = end;
        end += size;
        header[name] = {{"dtype", name_of(tensor.type)},
                        {"shape", tensor.shape},
                        {"data_offsets", {begin, end}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + length_bytes - 1) / length_bytes * length_bytes, ' ');
    std::string bytes;
    bytes.reserve(length_bytes + text.size() + end);
    put_little_endian<std::uint64_t>(bytes, text.size());
    bytes += text;
    for (const auto& [name, tensor] : content.tensors) bytes += tensor.bytes;
    return bytes;
}

SafeTensors decode_safetensors(std::string_view bytes, const std::string& where) {
    if (bytes.size() < length_bytes) refuse(where, "the file is too short");
    const auto length = get_little_endian<std::uint64_t>(bytes);
    if (length > bytes.size() - length_bytes) refuse(where, "the header is longer than the file");
    if (length > max_safetensors_header)
        refuse(where, fmt::format("the header is longer than {} bytes", max_safetensors_header));
    const Json header = header_of(bytes.substr(length_bytes, length), where);
    const std::string_view values = bytes.substr(length_bytes + length);
    if (!header.is_object()) refuse(where, "the header is no object");
    if (header.size() > max_safetensors)
        refuse(where, fmt::format("more than {} tensors", max_safetensors));
    SafeTensors content;
    std::vector<Place> places;
    try {
        for (const auto& [name, entry] : header.items()) {
            if (name == metadata_key) {
                content.metadata = entry.get<std::map<std::string, std::string>>();
                continue;
            }
            Place place;
            content.tensors[name] = tensor_of(entry, values, where, place);
            places.push_back(place);
        }
    } catch (const Json::exception& error) {
        refuse(where, error.what());
    }
    require_gapless(std::move(places), values.size(), where);
    return content;
}

}  // namespace edgeloop
