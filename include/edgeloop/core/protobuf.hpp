#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace edgeloop {

/// A message in protobuf's wire format in the making: fields in the order in which they are added.
/// Source: protobuf.dev, "Encoding".
class ProtobufMessage {
  public:
    ProtobufMessage& integer(int field, std::int64_t value) {
        tag(field, 0);
        varint(static_cast<std::uint64_t>(value));
        return *this;
    }
    ProtobufMessage& number(int field, float value) { return fixed(field, 5, value); }
    ProtobufMessage& number(int field, double value) { return fixed(field, 1, value); }
    ProtobufMessage& text(int field, std::string_view value) {
        tag(field, 2);
        varint(value.size());
        bytes_.append(value);
        return *this;
    }
    ProtobufMessage& message(int field, const ProtobufMessage& value) {
        return text(field, value.bytes_);
    }
    /// Fields encoded before.
    ProtobufMessage& append(const std::string& fields) {
        bytes_ += fields;
        return *this;
    }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

  private:
    void tag(int field, unsigned wire_type) {
        varint(static_cast<std::uint64_t>(field) << 3U | wire_type);
    }
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7U)
            bytes_.push_back(static_cast<char>((value & 0x7fU) | 0x80U));
        bytes_.push_back(static_cast<char>(value));
    }
    template <class Value>
    ProtobufMessage& fixed(int field, unsigned wire_type, Value value) {
        tag(field, wire_type);
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);  // little endian
        return *this;
    }

    std::string bytes_;
};

}  // namespace edgeloop
