#include "edgeloop/core/json.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

std::string position_of(std::string_view text, std::size_t byte) {
    byte = std::min(byte, text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte), '\n');
    const auto start = text.substr(0, byte).rfind('\n');
    const auto column = start == std::string_view::npos ? byte + 1 : byte - start;
    return fmt::format("line {}, column {}", line, std::max<std::size_t>(column, 1));
}

/// Iterates over a text and leaves in `reached` how far the reader has come: the library's
/// callbacks do not say where they are.
class TrackedIterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    TrackedIterator(const char* at, const char*& reached) : at_(at), reached_(&reached) {}
    reference operator*() const { return *at_; }
    TrackedIterator& operator++() {
        *reached_ = ++at_;
        return *this;
    }
    bool operator==(const TrackedIterator& other) const { return at_ == other.at_; }
    bool operator!=(const TrackedIterator& other) const { return at_ != other.at_; }

  private:
    const char* at_;
    const char** reached_;
};

/// Whether brackets outside of texts nest deeper: a look that builds nothing.
bool nests_deeper(std::string_view text, int deepest) {
    int depth = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') in_text = !in_text;
        if (in_text && c == '\\') ++i;
        if (in_text) continue;
        if ((c == '[' || c == '{') && ++depth > deepest) return true;
        if (c == ']' || c == '}') --depth;
    }
    return false;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where, int deepest) {
    // One set of keys for each open object, to refuse duplicates, which JSON parsers resolve
    // silently.
    std::vector<std::set<std::string>> keys;
    const char* reached = text.data();
    const auto place = [&](std::size_t byte) {
        return fmt::format("{}, {}", where, position_of(text, byte));
    };
    /// Place of the last character read.
    const auto here = [&] {
        const auto read = static_cast<std::size_t>(reached - text.data());
        return place(read > 0 ? read - 1 : 0);
    };
    const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth > deepest)
            throw ConfigError(fmt::format("{}: nested deeper than {}", here(), deepest));
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key &&
            !keys.back().insert(parsed.get<std::string>()).second)
            throw ConfigError(
                fmt::format("{}: key '{}' appears twice", here(), parsed.get<std::string>()));
        return true;
    };
    try {
        const char* const end = text.data() + text.size();
        return Json::parse(TrackedIterator(text.data(), reached), TrackedIterator(end, reached),
                           check);
    } catch (const nlohmann::json::parse_error& error) {
        // The library's text repeats its own position; keep only what follows the last ": ".
        std::string reason = error.what();
        if (const auto at = reason.find("syntax error"); at != std::string::npos)
            reason.erase(0, at);
        throw ConfigError(place(error.byte > 0 ? error.byte - 1 : 0) + ": not valid JSON", reason);
    } catch (const nlohmann::json::out_of_range&) {
        throw ConfigError(here() + ": a number is too large");
    }
}

Json parse_kept_json(std::string_view text) {
    if (nests_deeper(text, deepest_kept_json))
        throw CorruptState(fmt::format("JSON is nested deeper than {}", deepest_kept_json));
    return Json::parse(text);
}

Json read_json_file(const std::string& path, int deepest) {
    return parse_json(read_file(path, 64u << 20), path, deepest);
}

Json with_printable_texts(const Json& value) {
    if (value.is_string()) return printable(value.get_ref<const std::string&>());
    if (!value.is_structured()) return value;
    Json clean(value.type());
    if (value.is_array())
        for (const Json& each : value) clean.push_back(with_printable_texts(each));
    else
        for (const auto& item : value.items())
            clean[printable(item.key())] = with_printable_texts(item.value());
    return clean;
}

void require_known_keys(const Json& object, const std::vector<std::string_view>& known,
                        const std::string& where) {
    if (!object.is_object())
        throw ConfigError(
            fmt::format("{}: expected an object, found {}", where, object.type_name()));
    for (const auto& item : object.items()) {
        if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
        const std::vector<std::string> names(known.begin(), known.end());
        throw ConfigError(fmt::format("{}: unknown key '{}'", where, item.key()), {},
                          did_you_mean(item.key(), names));
    }
}

}  // namespace edgeloop
