#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace edgeloop {

/// Appends an unsigned number, lowest byte first.
template <class T>
void put_little_endian(std::string& bytes, T value) {
    for (unsigned i = 0; i < sizeof(T); ++i)
        bytes.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

/// REQUIRES: sizeof(T) bytes from `offset` on.
template <class T>
[[nodiscard]] T get_little_endian(std::string_view bytes, std::size_t offset = 0) {
    T value = 0;
    for (unsigned i = 0; i < sizeof(T); ++i)
        value = static_cast<T>(
            value | (static_cast<T>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i)));
    return value;
}

}  // namespace edgeloop
