#include "data/stored_data.hpp"

#include "data/links.hpp"
#include "data/lzf.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <sys/stat.h>

namespace edgeloop::hdf5 {
namespace {

constexpr const char* incomplete =
    "record or copy it again, or leave out this part of the recording";

constexpr std::uint64_t max_chunk_bytes = std::uint64_t(64) << 20;
/// Bytes that may be made of one that is stored. Deflate makes 1032 at most; filters of which one
/// undoes what the other did make any number.
constexpr std::uint64_t max_growth = 1100;
/// Growth of less does no harm: the index of a small layer is a few bytes.
constexpr std::uint64_t harmless_bytes = std::uint64_t(1) << 20;

/// The product of a shape and `factor`, or `limit` when it is not less.
std::uint64_t product_below(const std::vector<std::uint64_t>& shape, std::uint64_t factor,
                            std::uint64_t limit) {
    if (std::count(shape.begin(), shape.end(), 0U) > 0) return 0;
    for (const std::uint64_t extent : shape) {
        if (factor > (limit - 1) / extent) return limit;
        factor *= extent;
    }
    return factor;
}

std::uint64_t bytes_of(const Dataset& dataset) {
    return elements_of(dataset.shape) * dataset.element_bytes;
}

/// Of the file that holds the dataset.
std::uint64_t bytes_of_file(const Dataset& dataset) {
    const Handle file(H5Iget_file_id(dataset.id.get()), H5Fclose);
    hsize_t bytes = 0;
    return H5Fget_filesize(file.get(), &bytes) < 0 ? 0 : bytes;
}

void check_growth(const Dataset& dataset, std::uint64_t stored_bytes) {
    const std::uint64_t bytes = bytes_of(dataset);
    if (bytes <= harmless_bytes || bytes / max_growth < stored_bytes) return;
    throw_bad_input(dataset.place,
                    fmt::format("its {} bytes of data would be made of {} that are stored", bytes,
                                stored_bytes),
                    fmt::format("at most {} are made of one; record or copy it again", max_growth));
}

/// Names of registered filters, for files that do not tell.
std::string filter_name(H5Z_filter_t number, const char* in_file) {
    static const std::map<H5Z_filter_t, const char*> names = {
        {307, "bzip2"}, {32001, "blosc"}, {32004, "lz4"},   {32008, "bitshuffle"},
        {32013, "zfp"}, {32015, "zstd"},  {32026, "blosc2"}};
    if (*in_file != '\0') return in_file;
    const auto name = names.find(number);
    return name == names.end() ? "unknown" : name->second;
}

/// The parameter says what a chunk decompresses to at least, so it must not be less than a chunk.
void check_lzf(const Dataset& dataset, std::size_t parameters, const unsigned* values) {
    if (parameters <= lzf::chunk_bytes_parameter ||
        values[lzf::chunk_bytes_parameter] < dataset.element_bytes * elements_of(dataset.chunk))
        throw_bad_input(dataset.place, "the parameters of its filter 'lzf' do not fit its chunks",
                        "copy or download the file again");
}

void check_filters(const Dataset& dataset, hid_t list) {
    const int filters = H5Pget_nfilters(list);
    for (int i = 0; i < filters; ++i) {
        unsigned flags = 0, configuration = 0;
        std::array<unsigned, 16> values{};
        std::array<char, 64> name{};
        std::size_t parameters = values.size();
        const H5Z_filter_t number =
            H5Pget_filter2(list, static_cast<unsigned>(i), &flags, &parameters, values.data(),
                           name.size(), name.data(), &configuration);
        name.back() = '\0';
        if (number == lzf::filter_number) check_lzf(dataset, parameters, values.data());
        const bool available = H5Zfilter_avail(number) > 0;
        H5Eclear2(H5E_DEFAULT);
        if (!available)
            throw_bad_input(
                dataset.place,
                fmt::format("it is compressed with HDF5's filter {} ('{}'), which is missing here",
                            number, filter_name(number, name.data())),
                "set HDF5_PLUGIN_PATH to the folder of the filter's library, or where it is known "
                "write a copy with 'h5repack -f GZIP=1 FILE COPY'");
    }
}

bool has_chunk(const Dataset& dataset, const std::vector<hsize_t>& start) {
    hsize_t bytes = 0;
    const herr_t status = H5Dget_chunk_storage_size(dataset.id.get(), start.data(), &bytes);
    H5Eclear2(H5E_DEFAULT);
    return status >= 0 && bytes > 0;
}

/// Where the first chunk that was never written begins.
std::vector<hsize_t> first_missing_chunk(const Dataset& dataset) {
    std::vector<hsize_t> start(dataset.shape.size(), 0);
    while (has_chunk(dataset, start)) {
        std::size_t axis = start.size();
        while (axis-- > 0) {
            start[axis] += dataset.chunk[axis];
            if (start[axis] < dataset.shape[axis]) break;
            start[axis] = 0;
            if (axis == 0) return start;
        }
    }
    return start;
}

void check_chunks(const Dataset& dataset) {
    hsize_t wanted = 1, written = 0;
    for (std::size_t axis = 0; axis < dataset.shape.size(); ++axis)
        wanted *= (dataset.shape[axis] + dataset.chunk[axis] - 1) / dataset.chunk[axis];
    // A list of more chunks than the file has bytes would take long to walk through.
    if (wanted > bytes_of_file(dataset))
        throw_bad_input(dataset.place,
                        fmt::format("its {} chunks cannot all be in a file of {} bytes", wanted,
                                    bytes_of_file(dataset)),
                        incomplete);
    const Handle all(H5Dget_space(dataset.id.get()), H5Sclose);
    if (H5Dget_num_chunks(dataset.id.get(), all.get(), &written) < 0)
        throw_bad_input(dataset.place, "its list of chunks cannot be read",
                        "copy or download the file again");
    if (written >= wanted) return;
    throw_bad_input(
        dataset.place,
        fmt::format("{} of its {} chunks were never written, the first at index ({})",
                    wanted - written, wanted, fmt::join(first_missing_chunk(dataset), ", ")),
        incomplete);
}

/// External files are found from the working folder, or as HDF5_EXTFILE_PREFIX says.
std::string path_of_external(const Dataset& dataset, const std::string& name) {
    namespace fs = std::filesystem;
    const char* prefix = std::getenv("HDF5_EXTFILE_PREFIX");
    if (prefix == nullptr || *prefix == '\0' || fs::path(name).is_absolute()) return name;
    return (fs::path(with_origin(prefix, file_of(dataset.id.get()))) / name).string();
}

/// Bytes of an external file. @throws ConfigError  it cannot be read, or must not be.
std::uint64_t size_of_external(const Dataset& dataset, const std::string& path,
                               const References& references) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        throw_bad_input(dataset.place,
                        fmt::format("its data are in the file '{}', which cannot be read: {}", path,
                                    std::strerror(errno)),
                        "bring the file there, or set HDF5_EXTFILE_PREFIX to its folder");
    if (const Refusal refusal = refusal_of(path, references); !refusal.problem.empty())
        throw_bad_input(
            dataset.place,
            fmt::format("its data are in the file '{}', which {}", path, refusal.problem),
            refusal.suggestion);
    return static_cast<std::uint64_t>(info.st_size);
}

void check_external_files(Dataset& dataset, hid_t list, int count, const References& references) {
    std::uint64_t wanted = bytes_of(dataset);
    for (int i = 0; i < count && wanted > 0; ++i) {
        std::array<char, 4096> name{};
        off_t offset = 0;
        hsize_t reserved = 0;
        if (H5Pget_external(list, static_cast<unsigned>(i), name.size() - 1, name.data(), &offset,
                            &reserved) < 0)
            throw_bad_input(dataset.place, "its list of external files cannot be read");
        const std::string path = path_of_external(dataset, name.data());
        const std::uint64_t here =
            reserved == H5F_UNLIMITED ? wanted : std::min<std::uint64_t>(wanted, reserved);
        const std::uint64_t bytes = size_of_external(dataset, path, references);
        if (bytes < static_cast<std::uint64_t>(offset) + here)
            throw_bad_input(dataset.place,
                            fmt::format("its data are in the file '{}', which has {} bytes of {}",
                                        path, bytes, static_cast<std::uint64_t>(offset) + here),
                            "copy that file again");
        if (dataset.files.insert(path).second) dataset.stored_bytes += bytes;
        wanted -= here;
    }
    check_growth(dataset, dataset.stored_bytes);
}

void check_contiguous(const Dataset& dataset) {
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    if (H5Dget_space_status(dataset.id.get(), &status) < 0 ||
        status == H5D_SPACE_STATUS_NOT_ALLOCATED)
        throw_bad_input(dataset.place, "it was created, but nothing was ever written into it",
                        incomplete);
    if (bytes_of(dataset) > bytes_of_file(dataset))
        throw_bad_input(dataset.place,
                        fmt::format("its {} bytes of data cannot be in a file of {} bytes",
                                    bytes_of(dataset), bytes_of_file(dataset)),
                        "copy or download the file again");
}

}  // namespace

void check_sizes(const Dataset& dataset) {
    constexpr std::uint64_t countless = std::uint64_t(1) << 62;
    if (product_below(dataset.shape, std::max<std::size_t>(dataset.element_bytes, 1), countless) ==
        countless)
        throw_bad_input(dataset.place, fmt::format("its shape ({}) is beyond all storage",
                                                   fmt::join(dataset.shape, ", ")));
    const std::uint64_t too_large = max_chunk_bytes + 1;
    if (!dataset.chunk.empty() &&
        product_below(dataset.chunk, dataset.element_bytes, too_large) == too_large)
        throw_bad_input(
            dataset.place,
            fmt::format("its chunks ({}) have more than {} MiB, and each is read as a whole",
                        fmt::join(dataset.chunk, ", "), max_chunk_bytes >> 20),
            "write a copy with smaller ones, e.g. 'h5repack -l CHUNK=16x128x128 FILE COPY'");
}

void require_stored(Dataset& dataset, hid_t list, const VirtualSources* sources,
                    const References& references) {
    dataset.files.insert(file_of(dataset.id.get()));
    check_filters(dataset, list);
    if (elements_of(dataset.shape) == 0 && sources == nullptr) return;
    switch (H5Pget_layout(list)) {
        case H5D_CHUNKED:
            check_growth(dataset, bytes_of_file(dataset));  // before the list of chunks is read
            check_chunks(dataset);
            dataset.stored_bytes = H5Dget_storage_size(dataset.id.get());
            check_growth(dataset, dataset.stored_bytes);
            break;
        case H5D_VIRTUAL:
            sources->check(dataset);
            check_growth(dataset, dataset.stored_bytes);
            break;
        case H5D_CONTIGUOUS: {
            const int count = H5Pget_external_count(list);
            if (count > 0) {
                check_external_files(dataset, list, count, references);
            } else {
                check_contiguous(dataset);
                dataset.stored_bytes = bytes_of(dataset);
            }
            break;
        }
        case H5D_COMPACT:  // in the header, so it is there
            dataset.stored_bytes = bytes_of(dataset);
            break;
        default:
            throw_bad_input(dataset.place, "its layout is not known");
    }
}

}  // namespace edgeloop::hdf5
