// How much of SQLite's write-ahead log SQLite will use, by the format that sqlite.org/fileformat2
// describes. SQLite itself only tells when it can write to the database.
#include "link/store_tables.hpp"

#include <cstdint>

namespace edgeloop {
namespace {

constexpr std::size_t header_bytes = 32, frame_header_bytes = 24;
constexpr std::uint32_t magic = 0x377f0682, version = 3'007'000;  ///< lowest bit: big-endian sums

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

std::uint32_t swapped(std::uint32_t value) {
    return value >> 24 | (value >> 8 & 0xff00U) | (value << 8 & 0xff0000U) | value << 24;
}

/// The running checksum of a log.
struct Checksum {
    bool big_endian_words;
    std::uint32_t first = 0, second = 0;

    /// @param bytes  a multiple of eight.
    void add(std::string_view bytes) {
        for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
            std::uint32_t low = big_endian(bytes, at), high = big_endian(bytes, at + 4);
            if (!big_endian_words) low = swapped(low), high = swapped(high);
            first += low + second;
            second += high + first;
        }
    }
    [[nodiscard]] bool is_at(std::string_view bytes, std::size_t at) const {
        return big_endian(bytes, at) == first && big_endian(bytes, at + 4) == second;
    }
};

}  // namespace

std::size_t used_log_bytes(std::string_view log) {
    if (log.size() < header_bytes || (big_endian(log, 0) & ~1U) != magic ||
        big_endian(log, 4) != version)
        return 0;
    Checksum sum{(big_endian(log, 0) & 1U) != 0};
    sum.add(log.substr(0, 24));
    if (!sum.is_at(log, 24)) return 0;
    const std::size_t frame_bytes = frame_header_bytes + big_endian(log, 8);
    const std::string_view salts = log.substr(16, 8);
    std::size_t used = header_bytes;
    for (std::size_t at = header_bytes; at + frame_bytes <= log.size(); at += frame_bytes) {
        const std::string_view frame = log.substr(at, frame_bytes);
        sum.add(frame.substr(0, 8));
        sum.add(frame.substr(frame_header_bytes));
        if (frame.substr(8, 8) != salts || !sum.is_at(frame, 16)) break;
        const bool ends_a_commit = big_endian(frame, 4) != 0;
        if (ends_a_commit) used = at + frame_bytes;
    }
    return used;
}

}  // namespace edgeloop
