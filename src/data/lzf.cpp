#include "data/lzf.hpp"

#include <cstring>

#include <hdf5.h>

namespace edgeloop::lzf {
namespace {

/// One run of a stream.
struct Run {
    std::size_t header = 0;    ///< bytes of the stream before the literal bytes, if any
    std::size_t length = 0;    ///< bytes produced
    std::size_t distance = 0;  ///< where a copy begins, before the end; 0: literal bytes
};

/// The run at the beginning of `stream`; length 0 when it is cut off.
Run read_run(const std::uint8_t* stream, std::size_t bytes) {
    const std::size_t control = stream[0];
    if (control < 32) {
        const std::size_t length = control + 1;
        return {1, length < bytes ? length : 0, 0};
    }
    const bool is_long = control >> 5 == 7;
    const std::size_t header = is_long ? 3 : 2;
    if (bytes < header) return {};
    const std::size_t length = (control >> 5) + 2 + (is_long ? stream[1] : 0);
    return {header, length, ((control & 31) << 8) + stream[header - 1] + 1};
}

std::size_t bytes_of(const Run& run) { return run.header + (run.distance == 0 ? run.length : 0); }

/// HDF5's interface of a filter: replaces *buffer and gives the bytes in it, 0 for failure.
std::size_t filter(unsigned flags, std::size_t parameters, const unsigned* values,
                   std::size_t bytes, std::size_t* buffer_bytes, void** buffer) {
    if ((flags & H5Z_FLAG_REVERSE) == 0 || parameters <= chunk_bytes_parameter) return 0;
    const auto* stream = static_cast<const std::uint8_t*>(*buffer);
    const auto size = decompressed_size(stream, bytes);
    // The library reads a whole chunk from what it gets, however short that is.
    if (!size || *size == 0 || *size < values[chunk_bytes_parameter]) return 0;
    void* out = H5allocate_memory(*size, false);
    if (out == nullptr) return 0;
    decompress(stream, bytes, static_cast<std::uint8_t*>(out));
    H5free_memory(*buffer);
    *buffer = out;
    *buffer_bytes = *size;
    return *size;
}

}  // namespace

std::optional<std::size_t> decompressed_size(const std::uint8_t* stream, std::size_t bytes) {
    std::size_t produced = 0;
    while (bytes > 0) {
        const Run run = read_run(stream, bytes);
        if (run.length == 0 || run.distance > produced) return std::nullopt;
        produced += run.length;
        stream += bytes_of(run);
        bytes -= bytes_of(run);
    }
    return produced;
}

void decompress(const std::uint8_t* stream, std::size_t bytes, std::uint8_t* out) {
    while (bytes > 0) {
        const Run run = read_run(stream, bytes);
        if (run.distance == 0) {
            std::memcpy(out, stream + run.header, run.length);
        } else if (run.distance >= run.length) {
            std::memcpy(out, out - run.distance, run.length);
        } else {
            for (std::size_t i = 0; i < run.length; ++i) out[i] = *(out + i - run.distance);
        }
        out += run.length;
        stream += bytes_of(run);
        bytes -= bytes_of(run);
    }
}

void register_filter() {
    const H5Z_class2_t description = {H5Z_CLASS_T_VERS, filter_number, 0,     1, "lzf",
                                      nullptr,          nullptr,       filter};
    (void)H5Zregister(&description);
}

}  // namespace edgeloop::lzf
