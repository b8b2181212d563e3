#pragma once

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/data/external.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <hdf5.h>

/// A thin layer over the HDF5 C library: handles that close themselves and errors that name file
/// and object. Private to the module. Not for use from several threads at once: the library
/// is commonly built without thread safety.
namespace edgeloop::hdf5 {

/// Owns one HDF5 identifier; move-only.
class Handle {
  public:
    using Closer = herr_t (*)(hid_t);

    Handle() = default;
    Handle(hid_t id, Closer closer) : id_(id), closer_(closer) {}
    ~Handle() { close(); }
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), closer_(other.closer_) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(closer_, other.closer_);
        return *this;
    }

    [[nodiscard]] hid_t get() const { return id_; }
    [[nodiscard]] bool valid() const { return id_ >= 0; }
    /// Closes now; false when the library could not, e.g. because the disk is full.
    bool close();

  private:
    hid_t id_ = -1;
    Closer closer_ = nullptr;
};

/// Where something is: for errors.
struct Place {
    std::string file;
    std::string object;  ///< path of the group or dataset inside the file

    [[nodiscard]] std::string text() const;
};

/// Throws ConfigError "problem in file 'F', 'object' (HDF5's own words)".
[[noreturn]] void throw_bad_input(const Place& place, const std::string& problem,
                                  const std::string& suggestion = {});
/// Throws IoError likewise, for output.
[[noreturn]] void throw_io(const Place& place, const std::string& problem);

/// @throws ConfigError  missing, no regular file, empty, not HDF5, truncated; IoError  no
/// permission.
[[nodiscard]] Handle open_for_reading(const std::string& path);
/// Creates or replaces a file. @throws IoError.
[[nodiscard]] Handle create_file(const std::string& path);
/// Creates a file where there is none; a link is not followed. @throws IoError.
[[nodiscard]] Handle create_new_file(const std::string& path);
/// @throws IoError.
[[nodiscard]] Handle create_group(hid_t file, const Place& place);

/// Names of the links of a group in ascending order. @throws ConfigError.
[[nodiscard]] std::vector<std::string> link_names(hid_t group, const Place& place);
/// Whether a group has a link of this name, wherever it leads. @param name  without '/'.
[[nodiscard]] bool has_link(hid_t group, const std::string& name);

/// How far references lead from a file that a user named.
struct References {
    std::string file;  ///< what lies in the folder of this one may be referred to
    External external = External::refuse;
    int depth = 0;            ///< of virtual datasets whose sources are virtual
    std::size_t sources = 0;  ///< of virtual datasets, looked for so far
};

/// The product of a shape.
[[nodiscard]] std::uint64_t elements_of(const std::vector<std::uint64_t>& shape);

enum class NumberKind { integer, real, other };

/// An open dataset with what a reader must know of it.
struct Dataset {
    Place place;
    Handle id;
    std::vector<std::uint64_t> shape;
    std::vector<std::uint64_t> chunk;  ///< empty when not chunked
    NumberKind kind = NumberKind::other;
    std::size_t element_bytes = 0;
    bool is_signed = false;
    // Empty and 0 when Stored::known.
    std::set<std::string> files;     ///< that hold a part of its data
    std::uint64_t stored_bytes = 0;  ///< of its data, as they are compressed
};

/// Whether it must be seen that all data are there: require_stored().
enum class Stored { required, known };

struct OpenOptions {
    std::size_t cache_bytes = 0;  ///< chunk cache to give the dataset; 0: the library's default
    Stored stored = Stored::required;
    External external = External::refuse;
};

/// Opens a dataset without opening anything that it, or a link on the way, must not refer to.
/// @throws ConfigError  missing, not a dataset, no simple shape, chunks of more than 64 MiB, data
/// that are not there, that grow more than a thousandfold when they are read, or that lie outside
/// the folder of `place.file`.
[[nodiscard]] Dataset open_dataset(hid_t file, const Place& place, const OpenOptions& options = {});
/// The same for what a file refers to. @param references  from the file that the user named.
[[nodiscard]] Dataset open_dataset(hid_t file, const Place& place, const OpenOptions& options,
                                   References& references);

/// File and memory dataspaces of rows [first, first + count).
struct RowSelection {
    Handle file, memory;
};
[[nodiscard]] RowSelection select_rows(const Dataset& dataset, std::uint64_t first,
                                       std::uint64_t count);

/// Reads `count` entries of the first axis from `first` on, converted to `memory_type`.
/// @throws ConfigError  the data cannot be read, e.g. a damaged chunk.
void read_rows(const Dataset& dataset, std::uint64_t first, std::uint64_t count, hid_t memory_type,
               void* out);

/// Reads a whole dataset of any shape, also a single number. @throws ConfigError.
void read_all(const Dataset& dataset, hid_t memory_type, void* out);

/// How a dataset is laid out on disk.
struct Storage {
    std::vector<std::uint64_t> chunk;  ///< empty: contiguous, space allocated at once
    int deflate = 0;                   ///< 1..9; chunked only
};

/// New dataset without modification times, so that equal content gives equal bytes.
/// @throws IoError.
[[nodiscard]] Dataset create_dataset(hid_t file, const Place& place, hid_t file_type,
                                     const std::vector<std::uint64_t>& shape,
                                     const Storage& storage);

/// Writes `count` entries of the first axis from `first` on. @throws IoError.
void write_rows(const Dataset& dataset, std::uint64_t first, std::uint64_t count, hid_t memory_type,
                const void* values);

/// Creates and fills a contiguous dataset of `shape`. @throws IoError.
void write_dataset(hid_t file, const Place& place, hid_t file_type, hid_t memory_type,
                   const std::vector<std::uint64_t>& shape, const void* values);
/// A dataset (N) of variable-length UTF-8 strings. @throws IoError.
void write_strings(hid_t file, const Place& place, const std::vector<std::string>& values);

/// Attribute on the object `owner`. @throws IoError.
void write_attribute(hid_t owner, const Place& place, const std::string& name,
                     const std::string& value);
void write_attribute(hid_t owner, const Place& place, const std::string& name, std::int64_t value);
[[nodiscard]] bool has_attribute(hid_t owner, const std::string& name);
/// Text of fixed or variable length. @throws ConfigError  missing or of another type.
[[nodiscard]] std::string read_string_attribute(hid_t owner, const Place& place,
                                                const std::string& name);
/// @throws ConfigError  missing or of another type.
[[nodiscard]] std::int64_t read_integer_attribute(hid_t owner, const Place& place,
                                                  const std::string& name);

/// Offset of a contiguous dataset's data in the file. @throws ConfigError  it has none.
[[nodiscard]] std::uint64_t offset_in_file(const Dataset& dataset);

/// The file's descriptor, open as long as the file. @throws IoError  it has none.
[[nodiscard]] int descriptor_of(hid_t file, const std::string& path);

/// Closes a file that was written. @throws IoError  something was still in memory and did not fit.
void close_written(Handle& file, const std::string& path);

/// A file that appears under its name only when whole; without commit() nothing is left of it.
class NewFile {
  public:
    /// @throws IoError.
    explicit NewFile(std::string path);
    ~NewFile();
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;

    [[nodiscard]] hid_t id() const { return file_.get(); }
    [[nodiscard]] Place place(const std::string& object) const { return {temporary_, object}; }
    /// REQUIRES: its datasets are closed. @throws IoError.
    void commit(Durability durability = Durability::process_crash);

  private:
    std::string path_, temporary_;
    Handle file_;
    bool committed_ = false;
};

}  // namespace edgeloop::hdf5
