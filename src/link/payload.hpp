#pragma once

#include "edgeloop/core/error.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <cmath>
#include <cstdint>
#include <sstream>
#include <streambuf>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <cereal/archives/portable_binary.hpp>
#include <fmt/format.h>

namespace edgeloop::wire {

/// Whether `text` is well-formed UTF-8 (no overlong forms, surrogates or values above U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view text);

/// Writes fields as a cereal portable-binary payload. Same method names as PayloadReader, so that
/// one function lists the fields of a message for both.
class PayloadWriter {
  public:
    PayloadWriter() : archive_(stream_) {}

    template <class T>
    void number(T& value) {
        archive_(value);
    }
    template <class E>
    void enumerator(E& value, E, E) {
        archive_(static_cast<std::uint8_t>(value));
    }
    /// The last field, which payloads of earlier versions do not have.
    template <class E>
    void late_enumerator(E& value, E first, E last) {
        enumerator(value, first, last);
    }
    void text(std::string& value, std::size_t limit) {
        EDGELOOP_EXPECT(value.size() <= limit, "a text field is longer than the protocol allows");
        archive_(static_cast<std::uint32_t>(value.size()));
        archive_(cereal::binary_data(value.data(), value.size()));
    }
    void numbers(std::vector<std::uint64_t>& values, std::size_t limit) {
        count(values.size(), limit);
        for (std::uint64_t& value : values) archive_(value);
    }
    void metrics(Metrics& values, std::size_t limit, std::size_t name_limit) {
        count(values.size(), limit);
        for (auto& [name, value] : values) {
            std::string key = name;
            text(key, name_limit);
            archive_(value);
        }
    }
    [[nodiscard]] std::string take() { return stream_.str(); }

  private:
    void count(std::size_t size, std::size_t limit) {
        EDGELOOP_EXPECT(size <= limit, "a list is longer than the protocol allows");
        archive_(static_cast<std::uint32_t>(size));
    }

    std::ostringstream stream_;
    cereal::PortableBinaryOutputArchive archive_;
};

/// Reads what PayloadWriter wrote, trusting nothing: each length is compared with its bound and
/// with the bytes left before memory is taken. Every failure is CorruptState.
class PayloadReader {
  public:
    PayloadReader(std::string_view bytes, const std::string& from)
        : from_(from), buffer_(bytes), stream_(&buffer_), archive_(open(bytes)) {}

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
        if (buffer_.left() != 0) enumerator(value, first, last);
    }
    void text(std::string& value, std::size_t limit) {
        const std::size_t size = count(limit, 1);
        value.resize(size);
        require(size);
        archive_(cereal::binary_data(value.data(), size));
        if (!is_utf8(value)) fail("text that is not UTF-8");
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
        if (buffer_.left() != 0) fail("bytes after its end");
    }

  private:
    /// Reads from memory that stays where it is.
    class MemoryBuffer : public std::streambuf {
      public:
        explicit MemoryBuffer(std::string_view bytes) {
            char* begin = const_cast<char*>(bytes.data());  // never written through
            setg(begin, begin, begin + bytes.size());
        }
        [[nodiscard]] std::size_t left() const {
            return static_cast<std::size_t>(egptr() - gptr());
        }
    };

    std::istream& open(std::string_view bytes) {
        // First byte: cereal's mark of byte order.
        if (bytes.empty() || static_cast<unsigned char>(bytes[0]) > 1)
            fail("no mark of its byte order");
        return stream_;
    }
    template <class T>
    void load(T& value) {
        require(sizeof(T));
        archive_(value);
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
        if (buffer_.left() < bytes) fail("less than its lengths promise");
    }
    [[noreturn]] void fail(const char* what) const {
        throw CorruptState(fmt::format("{}: a message with {}", from_, what));
    }

    const std::string& from_;
    MemoryBuffer buffer_;
    std::istream stream_;
    cereal::PortableBinaryInputArchive archive_;
};

}  // namespace edgeloop::wire
