#include "data/stored_data.hpp"

#include "data/lzf.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>

#include <fmt/format.h>

namespace edgeloop::hdf5 {
namespace {

constexpr const char* incomplete =
    "record or copy it again, or leave out this part of the recording";

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
    return (fs::path(with_origin(prefix, file_of(dataset))) / name).string();
}

void check_external_files(Dataset& dataset, hid_t list, int count) {
    std::uint64_t wanted = elements_of(dataset.shape) * dataset.element_bytes;
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
        std::error_code failed;
        const std::uintmax_t bytes = std::filesystem::file_size(path, failed);
        if (failed)
            throw_bad_input(dataset.place,
                            fmt::format("its data are in the file '{}', which cannot be read: {}",
                                        path, failed.message()),
                            "bring the file there, or set HDF5_EXTFILE_PREFIX to its folder");
        if (bytes < static_cast<std::uint64_t>(offset) + here)
            throw_bad_input(dataset.place,
                            fmt::format("its data are in the file '{}', which has {} bytes of {}",
                                        path, bytes, static_cast<std::uint64_t>(offset) + here),
                            "copy that file again");
        dataset.files.insert(path);
        wanted -= here;
    }
}

void check_contiguous(const Dataset& dataset) {
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    if (H5Dget_space_status(dataset.id.get(), &status) < 0 ||
        status == H5D_SPACE_STATUS_NOT_ALLOCATED)
        throw_bad_input(dataset.place, "it was created, but nothing was ever written into it",
                        incomplete);
}

}  // namespace

void require_stored(Dataset& dataset, int depth) {
    dataset.files.insert(file_of(dataset));
    const Handle list(H5Dget_create_plist(dataset.id.get()), H5Pclose);
    check_filters(dataset, list.get());
    if (elements_of(dataset.shape) == 0 && H5Pget_layout(list.get()) != H5D_VIRTUAL) return;
    switch (H5Pget_layout(list.get())) {
        case H5D_CHUNKED:
            check_chunks(dataset);
            break;
        case H5D_VIRTUAL:
            check_virtual(dataset, list.get(), depth);
            break;
        case H5D_CONTIGUOUS: {
            const int count = H5Pget_external_count(list.get());
            if (count > 0)
                check_external_files(dataset, list.get(), count);
            else
                check_contiguous(dataset);
            break;
        }
        default:
            break;  // compact: in the header, so it is there
    }
}

}  // namespace edgeloop::hdf5
