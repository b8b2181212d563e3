#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

/// Decompression of LZF, the format of Marc Lehmann's LibLZF, as h5py writes it.
///
/// A stream is a sequence of runs, each led by a control byte c:
///   c < 32   the c + 1 bytes that follow, as they are;
///   c >= 32  a copy of bytes already produced. Its length is (c >> 5) + 2; when c >> 5 is 7, the
///   next
///            byte is added to it. It begins ((c & 31) << 8) + the following byte + 1 bytes before
///            the end of what was produced, and may run into itself.
namespace edgeloop::lzf {

/// HDF5's registered number of the filter.
constexpr int filter_number = 32000;
/// Position among the filter's parameters of the bytes of a chunk before compression.
constexpr std::size_t chunk_bytes_parameter = 2;

/// Length that `bytes` of a stream decompress to; nothing when it is damaged: cut off inside a run,
/// or a copy from before the beginning. Reads no byte past the end.
[[nodiscard]] std::optional<std::size_t> decompressed_size(const std::uint8_t* stream,
                                                           std::size_t bytes);

/// REQUIRES: decompressed_size() of the same stream, and `out` with room for as much.
void decompress(const std::uint8_t* stream, std::size_t bytes, std::uint8_t* out);

/// Makes the HDF5 library of this process read datasets with the filter "lzf". Once is enough.
void register_filter();

}  // namespace edgeloop::lzf
