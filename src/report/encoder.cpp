#include "report/encoder.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include <zlib.h>

namespace edgeloop::report {
namespace {

constexpr std::size_t max_listed = 4096;  // different numbers in a list

bool is_whole32(double value) {
    return value == std::trunc(value) &&
           std::abs(value) <= std::numeric_limits<std::int32_t>::max();
}

bool is_float(double value) {
    return std::isnan(value) || (std::abs(value) <= std::numeric_limits<float>::max() &&
                                 static_cast<double>(static_cast<float>(value)) == value);
}

std::string compressed(const std::string& bytes) {
    uLongf size = compressBound(static_cast<uLong>(bytes.size()));
    std::string out(size, '\0');
    const int code = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                               reinterpret_cast<const Bytef*>(bytes.data()),
                               static_cast<uLong>(bytes.size()), 9);
    EDGELOOP_EXPECT(code == Z_OK, "the buffer has room for everything");
    out.resize(size);
    return out;
}

}  // namespace

template <class T>
void Encoder::append(const std::vector<T>& values) {
    for (std::size_t byte = 0; byte < sizeof(T); ++byte)
        for (const T& value : values) {
            unsigned char raw[sizeof(T)];
            std::memcpy(raw, &value, sizeof(T));  // little endian, as every machine we build for
            bytes_ += static_cast<char>(raw[byte]);
        }
}

Json Encoder::codes(const std::vector<std::uint32_t>& values, std::size_t most) {
    Json json = {{"at", bytes_.size()}};
    if (most <= std::numeric_limits<std::uint8_t>::max()) {
        append(std::vector<std::uint8_t>(values.begin(), values.end()));
        json["type"] = "u8";
    } else if (most <= std::numeric_limits<std::uint16_t>::max()) {
        append(std::vector<std::uint16_t>(values.begin(), values.end()));
        json["type"] = "u16";
    } else {
        append(values);
        json["type"] = "u32";
    }
    return json;
}

Json Encoder::numbers(const std::vector<double>& values) {
    std::set<double> different;
    bool listed = true;
    for (const double value : values) {
        if (std::isnan(value)) continue;
        different.insert(value);
        listed = std::isfinite(value) && different.size() <= max_listed &&
                 different.size() <= 16 + values.size() / 4;
        if (!listed) break;
    }
    if (listed) {
        const std::vector<double> list(different.begin(), different.end());
        std::vector<std::uint32_t> which;  // 0: missing
        for (const double value : values)
            which.push_back(
                std::isnan(value)
                    ? 0
                    : 1 + static_cast<std::uint32_t>(
                              std::lower_bound(list.begin(), list.end(), value) - list.begin()));
        Json json = codes(which, list.size());
        json["values"] = list;
        return json;
    }
    Json json = {{"at", bytes_.size()}};
    if (std::all_of(values.begin(), values.end(), is_whole32)) {
        append(std::vector<std::int32_t>(values.begin(), values.end()));
        json["type"] = "i32";
    } else if (std::all_of(values.begin(), values.end(), is_float)) {
        append(std::vector<float>(values.begin(), values.end()));
        json["type"] = "f32";
    } else {
        append(values);
        json["type"] = "f64";
    }
    return json;
}

Json Encoder::texts(const std::vector<std::string>& values) {
    std::unordered_map<std::string, std::uint32_t> known{{"", 0}};
    std::vector<std::string> words;
    std::vector<std::uint32_t> which;
    for (const std::string& value : values) {
        const auto [found, is_new] =
            known.try_emplace(value, static_cast<std::uint32_t>(words.size() + 1));
        if (is_new) words.push_back(value);
        which.push_back(found->second);
    }
    Json json = codes(which, words.size());
    json["words"] = words;
    return json;
}

Json Encoder::named(const std::string& name, const std::vector<double>& values) {
    Json json = numbers(values);
    json["name"] = printable(name);
    return json;
}

Json Encoder::named(const std::string& name, const std::vector<std::string>& values) {
    Json json = texts(values);
    json["name"] = printable(name);
    return json;
}

std::string Encoder::packed(const Json& header) const {
    std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
    std::string all;
    const auto length = static_cast<std::uint32_t>(text.size());
    for (unsigned shift = 0; shift < 32; shift += 8)
        all += static_cast<char>(length >> shift & 0xff);
    return base64(compressed(all + text + bytes_));
}

std::string base64(const std::string& bytes) {
    static constexpr char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    const auto byte = [&](std::size_t at) -> std::uint32_t {
        return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
    };
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::uint32_t three = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
        out += letters[three >> 18];
        out += letters[three >> 12 & 63];
        out += at + 1 < bytes.size() ? letters[three >> 6 & 63] : '=';
        out += at + 2 < bytes.size() ? letters[three & 63] : '=';
    }
    return out;
}

}  // namespace edgeloop::report
