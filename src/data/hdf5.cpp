#include "data/hdf5.hpp"

#include "data/links.hpp"
#include "data/lzf.hpp"
#include "data/stored_data.hpp"
#include "data/virtual_data.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::hdf5 {
namespace {

/// Set before any call of the library: at exit it closes what is still open, and crashes there
/// (HDF5 1.10.8) when a file could not be written, e.g. on a full disk. Handles close everything.
[[maybe_unused]] const bool without_exit_handler = H5dont_atexit() >= 0;

/// Locks fail on several parallel file systems. The access list below says so, too, but not for the
/// files that the library opens by itself: sources of virtual datasets and ends of external links.
[[maybe_unused]] const bool without_locks = ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0) == 0;

constexpr std::size_t max_number_bytes = 16;
constexpr std::size_t max_text_bytes = std::size_t(16) << 20;

/// The library prints its error stack by default; ours go through exceptions. And it lacks the
/// filter that h5py uses.
void prepare_library() {
    static const bool done = [] {
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
        lzf::register_filter();
        return true;
    }();
    (void)done;
}

Handle file_access_list() {
    Handle list(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
#if H5_VERSION_GE(1, 10, 7)
    // Locks fail on several parallel file systems, and shards are never written in place.
    H5Pset_file_locking(list.get(), 0, 1);
#endif
    return list;
}

/// One line of HDF5's description. Those of failed reads and writes hold a date, addresses and a
/// line break around what the operating system said, which is all a user can act on.
std::string one_line(std::string description) {
    const std::string mark = "error message = '";
    const std::size_t start = description.find(mark);
    if (start != std::string::npos) {
        description.erase(0, start + mark.size());
        description.erase(std::min(description.find('\''), description.size()));
    }
    std::replace(description.begin(), description.end(), '\n', ' ');
    return description;
}

herr_t keep_innermost(unsigned, const H5E_error2_t* error, void* text) {
    if (error->desc != nullptr && *error->desc != '\0')
        *static_cast<std::string*>(text) = one_line(error->desc);
    return 0;
}

/// The innermost message on HDF5's error stack, or an empty string.
std::string library_message() {
    std::string innermost;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_innermost, &innermost);
    H5Eclear2(H5E_DEFAULT);
    return innermost.empty() ? "" : "HDF5: " + innermost;
}

herr_t find_consistency_flags(unsigned, const H5E_error2_t* error, void* found) {
    if (error->desc != nullptr && std::strstr(error->desc, "consistency flags") != nullptr)
        *static_cast<bool*>(found) = true;
    return 0;
}

/// Why a file was refused, for the one reason that can be mended: whoever wrote it did not close
/// it.
[[noreturn]] void throw_unreadable(const std::string& path) {
    bool left_open = false;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, find_consistency_flags, &left_open);
    if (left_open)
        throw_bad_input({path, {}},
                        "the program that wrote it did not close it, or still writes it",
                        fmt::format("when nothing writes it any more, mend it with 'h5clear -s {}' "
                                    "(of hdf5-tools) and look at it with edgeloop-data inspect",
                                    path));
    throw_bad_input({path, {}}, "not a readable HDF5 file", "copy or download it again");
}

/// What the operating system says of a path before the library sees it.
/// Does not open the file: that is left to the library, once.
void check_readable(const std::string& path) {
    require_regular_file(path);
    std::error_code failed;
    if (std::filesystem::file_size(path, failed) == 0)
        throw ConfigError(fmt::format("file '{}' is empty", path), {}, "copy or download it again");
}

/// Why the library could not open a file. @throws IoError  the system does not give it to us.
void check_opens(const std::string& path) {
    if (std::ifstream(path)) return;
    const int code = errno;
    throw IoError(fmt::format("cannot open file '{}'", path), std::strerror(code),
                  code == EACCES ? "grant read permission" : "");
}

void read_chunk_shape(Dataset& dataset, hid_t list) {
    if (H5Pget_layout(list) != H5D_CHUNKED) return;
    std::vector<hsize_t> chunk(dataset.shape.size());
    if (H5Pget_chunk(list, int(chunk.size()), chunk.data()) < 0) return;
    dataset.chunk.assign(chunk.begin(), chunk.end());
}

void read_type(Dataset& dataset) {
    const Handle type(H5Dget_type(dataset.id.get()), H5Tclose);
    const H5T_class_t kind = H5Tget_class(type.get());
    dataset.element_bytes = H5Tget_size(type.get());
    // A number of a megabyte can be declared, and would be converted.
    dataset.kind = dataset.element_bytes > max_number_bytes ? NumberKind::other
                   : kind == H5T_INTEGER                    ? NumberKind::integer
                   : kind == H5T_FLOAT                      ? NumberKind::real
                                                            : NumberKind::other;
    dataset.is_signed = kind == H5T_INTEGER && H5Tget_sign(type.get()) == H5T_SGN_2;
}

void read_shape(Dataset& dataset) {
    const Handle space(H5Dget_space(dataset.id.get()), H5Sclose);
    if (!space.valid() || H5Sget_simple_extent_type(space.get()) == H5S_NULL)
        throw_bad_input(dataset.place, "the dataset has no shape");
    const int rank = H5Sget_simple_extent_ndims(space.get());
    if (rank < 0) throw_bad_input(dataset.place, "the dataset's shape cannot be read");
    std::vector<hsize_t> shape(static_cast<std::size_t>(rank));
    if (rank > 0) H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr);
    dataset.shape.assign(shape.begin(), shape.end());
}

Handle open_attribute(hid_t owner, const Place& place, const std::string& name,
                      H5T_class_t wanted) {
    Handle attribute(H5Aopen(owner, name.c_str(), H5P_DEFAULT), H5Aclose);
    if (!attribute.valid()) throw_bad_input(place, fmt::format("attribute '{}' is missing", name));
    const Handle type(H5Aget_type(attribute.get()), H5Tclose);
    const Handle space(H5Aget_space(attribute.get()), H5Sclose);
    if (H5Tget_class(type.get()) != wanted || H5Sget_simple_extent_npoints(space.get()) != 1)
        throw_bad_input(place, fmt::format("attribute '{}' has the wrong type", name));
    return attribute;
}

/// @param existing  what becomes of a file that is there: H5F_ACC_TRUNC or H5F_ACC_EXCL.
Handle create(const std::string& path, unsigned existing) {
    prepare_library();
    H5Eclear2(H5E_DEFAULT);
    const Handle access = file_access_list();
    Handle file(H5Fcreate(path.c_str(), existing, H5P_DEFAULT, access.get()), H5Fclose);
    if (!file.valid()) throw_io({path, {}}, "cannot create the file");
    return file;
}

herr_t append_name(hid_t, const char* name, const H5L_info_t*, void* names) {
    static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    return 0;
}

}  // namespace

bool Handle::close() {
    const hid_t id = std::exchange(id_, -1);
    return id < 0 || closer_(id) >= 0;
}

std::string Place::text() const {
    return object.empty() ? fmt::format("file '{}'", file)
                          : fmt::format("file '{}', '{}'", file, object);
}

void throw_bad_input(const Place& place, const std::string& problem,
                     const std::string& suggestion) {
    throw ConfigError(fmt::format("{}: {}", place.text(), problem), library_message(), suggestion);
}

void throw_io(const Place& place, const std::string& problem) {
    throw IoError(fmt::format("{}: {}", place.text(), problem), library_message(),
                  "check free space and permissions");
}

Handle open_for_reading(const std::string& path) {
    prepare_library();
    check_readable(path);
    H5Eclear2(H5E_DEFAULT);
    const Handle access = file_access_list();
    Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
    if (!file.valid()) {
        check_opens(path);
        throw_unreadable(path);
    }
    return file;
}

Handle create_file(const std::string& path) { return create(path, H5F_ACC_TRUNC); }
Handle create_new_file(const std::string& path) { return create(path, H5F_ACC_EXCL); }

Dataset open_dataset(hid_t file, const Place& place, const OpenOptions& options) {
    References references{place.file, options.external};
    return open_dataset(file, place, options, references);
}

Dataset open_dataset(hid_t file, const Place& place, const OpenOptions& options,
                     References& references) {
    const Target target = find(file, place.object, references);
    if (target.end == LinkEnd::broken) throw_bad_input(place, target.problem, target.suggestion);
    if (target.end == LinkEnd::missing) throw_bad_input(place, "the dataset is missing");
    const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    if (options.cache_bytes > 0) H5Pset_chunk_cache(access.get(), 521, options.cache_bytes, 1.0);
    H5Pset_virtual_printf_gap(access.get(), max_gap);
    Dataset dataset;
    dataset.place = place;
    dataset.id = Handle(H5Dopen2(target.parent.get(), target.name.c_str(), access.get()), H5Dclose);
    if (!dataset.id.valid()) throw_bad_input(place, "the dataset cannot be opened");
    const Handle list(H5Dget_create_plist(dataset.id.get()), H5Pclose);
    if (!list.valid()) throw_bad_input(place, "its layout cannot be read");
    const bool known = options.stored == Stored::known;
    std::optional<VirtualSources> sources;
    // Before its shape is asked for: to tell it HDF5 opens sources that grow.
    if (!known && H5Pget_layout(list.get()) == H5D_VIRTUAL)
        sources.emplace(dataset, list.get(), references);
    read_shape(dataset);
    read_type(dataset);
    read_chunk_shape(dataset, list.get());
    check_sizes(dataset);
    if (!known) require_stored(dataset, list.get(), sources ? &*sources : nullptr, references);
    return dataset;
}

std::uint64_t elements_of(const std::vector<std::uint64_t>& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::uint64_t(1), std::multiplies<>());
}

RowSelection select_rows(const Dataset& dataset, std::uint64_t first, std::uint64_t count) {
    std::vector<hsize_t> start(dataset.shape.size(), 0),
        extent(dataset.shape.begin(), dataset.shape.end());
    EDGELOOP_EXPECT(!extent.empty() && first + count <= extent[0], "rows outside the dataset");
    start[0] = first;
    extent[0] = count;
    RowSelection selection{
        Handle(H5Dget_space(dataset.id.get()), H5Sclose),
        Handle(H5Screate_simple(int(extent.size()), extent.data(), nullptr), H5Sclose)};
    H5Sselect_hyperslab(selection.file.get(), H5S_SELECT_SET, start.data(), nullptr, extent.data(),
                        nullptr);
    return selection;
}

void read_rows(const Dataset& dataset, std::uint64_t first, std::uint64_t count, hid_t memory_type,
               void* out) {
    if (count == 0) return;
    const RowSelection rows = select_rows(dataset, first, count);
    if (H5Dread(dataset.id.get(), memory_type, rows.memory.get(), rows.file.get(), H5P_DEFAULT,
                out) < 0)
        throw_bad_input(dataset.place,
                        fmt::format("entries {} to {} cannot be read", first, first + count - 1),
                        "copy or download the file again");
}

void read_all(const Dataset& dataset, hid_t memory_type, void* out) {
    if (H5Dread(dataset.id.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        throw_bad_input(dataset.place, "cannot be read", "copy or download the file again");
}

bool has_attribute(hid_t owner, const std::string& name) {
    return H5Aexists(owner, name.c_str()) > 0;
}

std::string read_string_attribute(hid_t owner, const Place& place, const std::string& name) {
    const Handle attribute = open_attribute(owner, place, name, H5T_STRING);
    const Handle stored(H5Aget_type(attribute.get()), H5Tclose);
    const auto unreadable = [&] {
        throw_bad_input(place, fmt::format("attribute '{}' cannot be read", name));
    };
    if (H5Tis_variable_str(stored.get()) > 0) {
        char* pointer = nullptr;
        if (H5Aread(attribute.get(), stored.get(), &pointer) < 0 || pointer == nullptr)
            unreadable();
        std::string value(pointer);
        H5free_memory(pointer);
        return value;
    }
    if (H5Tget_size(stored.get()) > max_text_bytes) unreadable();
    std::string value(H5Tget_size(stored.get()), '\0');
    if (H5Aread(attribute.get(), stored.get(), value.data()) < 0) unreadable();
    value.resize(std::min(value.size(), value.find('\0')));
    return value;
}

std::int64_t read_integer_attribute(hid_t owner, const Place& place, const std::string& name) {
    const Handle attribute = open_attribute(owner, place, name, H5T_INTEGER);
    std::int64_t value = 0;
    if (H5Aread(attribute.get(), H5T_NATIVE_INT64, &value) < 0)
        throw_bad_input(place, fmt::format("attribute '{}' cannot be read", name));
    return value;
}

std::uint64_t offset_in_file(const Dataset& dataset) {
    const haddr_t offset = H5Dget_offset(dataset.id.get());
    if (!dataset.chunk.empty() || offset == HADDR_UNDEF)
        throw_bad_input(dataset.place, "the dataset is not contiguous");
    return offset;
}

int descriptor_of(hid_t file, const std::string& path) {
    void* descriptor = nullptr;
    if (H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) < 0 || descriptor == nullptr)
        throw_io({path, {}}, "the file has no descriptor");
    return *static_cast<const int*>(descriptor);
}

std::vector<std::string> link_names(hid_t group, const Place& place) {
    std::vector<std::string> names;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name, &names) < 0)
        throw_bad_input(place, "the group cannot be listed");
    return names;
}

bool has_link(hid_t group, const std::string& name) {
    const bool exists = H5Lexists(group, name.c_str(), H5P_DEFAULT) > 0;
    H5Eclear2(H5E_DEFAULT);
    return exists;
}

}  // namespace edgeloop::hdf5
