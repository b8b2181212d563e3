// Writing: files that appear when whole, datasets and attributes.
#include "data/hdf5.hpp"

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

namespace edgeloop::hdf5 {
namespace {

Handle string_type() {
    Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.get(), H5T_VARIABLE);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    return type;
}

std::vector<hsize_t> to_hsize(const std::vector<std::uint64_t>& shape) {
    return {shape.begin(), shape.end()};
}

Handle space_of(const std::vector<std::uint64_t>& shape) {
    const std::vector<hsize_t> dimensions = to_hsize(shape);
    return {H5Screate_simple(int(dimensions.size()), dimensions.data(), nullptr), H5Sclose};
}

Handle creation_list(const Storage& storage) {
    Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_obj_track_times(list.get(), false);
    if (storage.chunk.empty()) {
        H5Pset_alloc_time(list.get(), H5D_ALLOC_TIME_EARLY);
        return list;
    }
    const std::vector<hsize_t> chunk = to_hsize(storage.chunk);
    H5Pset_chunk(list.get(), int(chunk.size()), chunk.data());
    if (storage.deflate > 0) H5Pset_deflate(list.get(), unsigned(storage.deflate));
    return list;
}

void write_attribute_value(hid_t owner, const Place& place, const std::string& name, hid_t type,
                           const void* value) {
    const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
    const Handle attribute(
        H5Acreate2(owner, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    if (!attribute.valid() || H5Awrite(attribute.get(), type, value) < 0)
        throw_io(place, fmt::format("cannot write attribute '{}'", name));
}

/// What an earlier process left is removed, and so is a link that somebody put there: it would be
/// followed.
Handle create_temporary(const std::string& path) {
    std::remove(path.c_str());
    return create_new_file(path);
}

}  // namespace

Handle create_group(hid_t file, const Place& place) {
    const Handle list(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
    H5Pset_obj_track_times(list.get(), false);
    Handle group(H5Gcreate2(file, place.object.c_str(), H5P_DEFAULT, list.get(), H5P_DEFAULT),
                 H5Gclose);
    if (!group.valid()) throw_io(place, "cannot create the group");
    return group;
}

Dataset create_dataset(hid_t file, const Place& place, hid_t file_type,
                       const std::vector<std::uint64_t>& shape, const Storage& storage) {
    const Handle space = space_of(shape), list = creation_list(storage);
    Dataset dataset;
    dataset.place = place;
    dataset.shape = shape;
    dataset.chunk = storage.chunk;
    dataset.id = Handle(H5Dcreate2(file, place.object.c_str(), file_type, space.get(), H5P_DEFAULT,
                                   list.get(), H5P_DEFAULT),
                        H5Dclose);
    if (!dataset.id.valid()) throw_io(place, "cannot create the dataset");
    return dataset;
}

void write_rows(const Dataset& dataset, std::uint64_t first, std::uint64_t count, hid_t memory_type,
                const void* values) {
    if (count == 0) return;
    const RowSelection rows = select_rows(dataset, first, count);
    if (H5Dwrite(dataset.id.get(), memory_type, rows.memory.get(), rows.file.get(), H5P_DEFAULT,
                 values) < 0)
        throw_io(dataset.place, "cannot write");
}

void write_dataset(hid_t file, const Place& place, hid_t file_type, hid_t memory_type,
                   const std::vector<std::uint64_t>& shape, const void* values) {
    const Dataset dataset = create_dataset(file, place, file_type, shape, {});
    write_rows(dataset, 0, shape.at(0), memory_type, values);
}

void write_strings(hid_t file, const Place& place, const std::vector<std::string>& values) {
    std::vector<const char*> pointers;
    pointers.reserve(values.size());
    for (const std::string& value : values) pointers.push_back(value.c_str());
    const Handle type = string_type();
    write_dataset(file, place, type.get(), type.get(), {values.size()}, pointers.data());
}

void write_attribute(hid_t owner, const Place& place, const std::string& name,
                     const std::string& value) {
    const Handle type = string_type();
    const char* pointer = value.c_str();
    write_attribute_value(owner, place, name, type.get(), &pointer);
}

void write_attribute(hid_t owner, const Place& place, const std::string& name, std::int64_t value) {
    write_attribute_value(owner, place, name, H5T_NATIVE_INT64, &value);
}

NewFile::NewFile(std::string path)
    : path_(std::move(path)), temporary_(path_ + ".partial"), file_(create_temporary(temporary_)) {}

NewFile::~NewFile() {
    file_.close();
    if (!committed_) std::remove(temporary_.c_str());
}

void NewFile::commit(Durability durability) {
    close_written(file_, temporary_);
    if (durability == Durability::power_cut) {
        const Descriptor written(::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC));
        if (written.get() < 0 || !sync_descriptor(written.get()))
            throw IoError(fmt::format("cannot sync '{}'", temporary_), std::strerror(errno));
    }
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0)
        throw IoError(fmt::format("cannot rename '{}'", temporary_), std::strerror(errno));
    committed_ = true;
    if (durability == Durability::power_cut) sync_folder_of(path_);
}

void close_written(Handle& file, const std::string& path) {
    if (H5Fflush(file.get(), H5F_SCOPE_LOCAL) < 0 || !file.close())
        throw_io({path, {}}, "cannot finish the file");
}

}  // namespace edgeloop::hdf5
