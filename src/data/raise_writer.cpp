#include "edgeloop/data/raise_writer.hpp"

#include "data/hdf5.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

constexpr std::uint64_t frames_per_chunk = 8;

}  // namespace

struct RaiseWriter::Impl {
    hdf5::NewFile file;
    hdf5::Handle object, layer;  ///< groups begun last: what is open decides where HDF5 puts things
    hdf5::Dataset frames;        ///< of the layer begun last

    void end_layer() {
        frames.id.close();
        layer.close();
    }
    std::uint64_t written = 0;
};

RaiseWriter::RaiseWriter(const std::string& path)
    : impl_(new Impl{hdf5::NewFile(path), {}, {}, {}, 0}) {}
RaiseWriter::~RaiseWriter() = default;

void RaiseWriter::add_object(const std::string& group) {
    impl_->end_layer();
    impl_->object.close();
    impl_->object = hdf5::create_group(impl_->file.id(), impl_->file.place(group));
}

void RaiseWriter::begin_layer(const RaiseLayerTables& tables) {
    const hid_t file = impl_->file.id();
    const auto place = [&](const char* name) { return impl_->file.place(tables.group + name); };
    impl_->end_layer();
    impl_->layer = hdf5::create_group(file, place(""));
    std::vector<std::int64_t> index;
    for (std::size_t i = 0; i < tables.frames_of_line.size(); ++i)
        index.insert(index.end(), tables.frames_of_line[i], std::int64_t(i));
    const std::uint64_t count = index.size();
    hdf5::write_dataset(file, place("/scan_line_index"), H5T_STD_I64LE, H5T_NATIVE_INT64, {count},
                        index.data());
    if (!tables.laser_params.empty())
        hdf5::write_dataset(file, place("/laser_params"), H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                            {tables.laser_params.size() / 2, 2}, tables.laser_params.data());
    const auto height = std::uint64_t(tables.height), width = std::uint64_t(tables.width);
    impl_->frames =
        hdf5::create_dataset(file, place("/frame"), H5T_STD_U8LE, {count, height, width},
                             {{std::min(frames_per_chunk, count), height, width}, tables.deflate});
    impl_->written = 0;
}

void RaiseWriter::append_frames(const std::uint8_t* frames, std::uint64_t count) {
    hdf5::write_rows(impl_->frames, impl_->written, count, H5T_NATIVE_UINT8, frames);
    impl_->written += count;
}

void RaiseWriter::commit() {
    impl_->end_layer();
    impl_->object.close();
    impl_->file.commit();
}

}  // namespace edgeloop
