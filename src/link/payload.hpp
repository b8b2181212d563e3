#pragma once

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace edgeloop::wire {

/// Writes fields: a byte that says little-endian, then numbers of their size and texts and lists
/// after their length (32 bit). Same method names as PayloadReader, so that one function lists the
/// fields of a message for both.
class PayloadWriter {
  public:
    template <class T>
    void number(const T& value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    template <class E>
    void enumerator(E& value, E, E) {
        number(static_cast<std::uint8_t>(value));
    }
    /// The last field, which payloads of earlier versions do not have.
    template <class E>
    void late_enumerator(E& value, E first, E last) {
        enumerator(value, first, last);
    }
    void text(const std::string& value, std::size_t limit) {
        count(value.size(), limit);
        bytes_ += value;
    }
    void line(const std::string& value, std::size_t limit) { text(value, limit); }
    void bytes(const std::string& value, std::size_t limit) { text(value, limit); }
    void numbers(std::vector<std::uint64_t>& values, std::size_t limit) {
        count(values.size(), limit);
        for (const std::uint64_t value : values) number(value);
    }
    void metrics(Metrics& values, std::size_t limit, std::size_t name_limit) {
        count(values.size(), limit);
        for (const auto& [name, value] : values) {
            text(name, name_limit);
            number(value);
        }
    }
    [[nodiscard]] std::string take() { return std::move(bytes_); }

  private:
    void count(std::size_t size, std::size_t limit) {
        EDGELOOP_EXPECT(size <= limit, "a field is longer than the protocol allows");
        number(static_cast<std::uint32_t>(size));
    }

    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are sent as they are");
    std::string bytes_ = "\1";
};

/// Reads what PayloadWriter wrote, trusting nothing: each length is compared with its bound and
/// with the bytes left before memory is taken. Every failure is CorruptState.
class PayloadReader {
  public:
    PayloadReader(std::string_view bytes, const std::string& from) : from_(from), rest_(bytes) {
        std::uint8_t order = 0;
        load(order);
        if (order != 1) fail("numbers in another byte order");
    }

    template <class T>
    void number(T& value) {
        load(value);
        if constexpr (std::is_floating_point_v<T>)
            if (!std::isfinite(value)) fail("a number that is not finite");
    }
    template <class E>
    void enumerator(E& value, E first, E last) {
        std::uint8_t raw = 0;
        load(raw);
        if (raw < static_cast<std::uint8_t>(first) || raw > static_cast<std::uint8_t>(last))
            fail("an unknown enumerator");
        value = static_cast<E>(raw);
    }
    template <class E>
    void late_enumerator(E& value, E first, E last) {
        if (!rest_.empty()) enumerator(value, first, last);
    }
    void bytes(std::string& value, std::size_t limit) {
        const std::size_t size = count(limit, 1);
        value = rest_.substr(0, size);
        rest_.remove_prefix(size);
    }
    void text(std::string& value, std::size_t limit) {
        bytes(value, limit);
        if (!is_utf8(value)) fail("text that is not UTF-8");
    }
    /// A text for people: printable from here on, and still within the limit.
    void line(std::string& value, std::size_t limit) {
        text(value, limit);
        value = beginning(printable(value), limit);
    }
    void numbers(std::vector<std::uint64_t>& values, std::size_t limit) {
        values.resize(count(limit, sizeof(std::uint64_t)));
        for (std::uint64_t& value : values) load(value);
    }
    void metrics(Metrics& values, std::size_t limit, std::size_t name_limit) {
        const std::size_t size = count(limit, sizeof(std::uint32_t) + sizeof(double));
        for (std::size_t i = 0; i < size; ++i) {
            std::string name;
            double value = 0;
            text(name, name_limit);
            number(value);
            if (!values.emplace(name, value).second) fail("the same metric twice");
        }
    }
    void expect_end() const {
        if (!rest_.empty()) fail("bytes after its end");
    }

  private:
    template <class T>
    void load(T& value) {
        require(sizeof(T));
        std::memcpy(&value, rest_.data(), sizeof(T));
        rest_.remove_prefix(sizeof(T));
    }
    /// Number of items to come, each at least `item_bytes` long.
    std::size_t count(std::size_t limit, std::size_t item_bytes) {
        std::uint32_t size = 0;
        load(size);
        if (size > limit) fail("a length above the limit");
        require(size * item_bytes);
        return size;
    }
    void require(std::size_t bytes) const {
        if (rest_.size() < bytes) fail("less than its lengths promise");
    }
    [[noreturn]] void fail(const char* what) const {
        throw CorruptState(fmt::format("{}: a message with {}", from_, what));
    }

    const std::string& from_;
    std::string_view rest_;
};

}  // namespace edgeloop::wire
