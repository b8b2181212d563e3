#pragma once

#include "data/hdf5.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::test {

/// A layer to write, right or wrong, in the RAISE-LPBF layout.
struct RawLayer {
    std::string group = "/layer0000";
    std::vector<std::uint64_t> frame_shape;
    std::vector<std::uint8_t> pixels;  ///< zeros when empty
    std::vector<std::int64_t> index;
    std::vector<double> parameters;  ///< (lines, 2); no dataset when empty
    hid_t frame_type = H5T_STD_U8LE;
    hid_t index_type = H5T_STD_I64LE;
    hid_t parameter_type = H5T_IEEE_F32LE;
    std::vector<std::uint64_t> parameter_shape;  ///< (lines, 2) when empty
    hdf5::Storage frame_storage;
};

inline std::uint64_t elements(const std::vector<std::uint64_t>& shape) {
    std::uint64_t count = 1;
    for (const std::uint64_t extent : shape) count *= extent;
    return count;
}

inline void add_layer(hid_t file, RawLayer layer) {
    const auto place = [&layer](const char* name) {
        return hdf5::Place{"test file", layer.group + name};
    };
    const hdf5::Handle group = hdf5::create_group(file, {"test file", layer.group});
    layer.pixels.resize(elements(layer.frame_shape));
    const hdf5::Dataset frames = hdf5::create_dataset(file, place("/frame"), layer.frame_type,
                                                      layer.frame_shape, layer.frame_storage);
    hdf5::write_rows(frames, 0, layer.frame_shape[0], H5T_NATIVE_UINT8, layer.pixels.data());
    hdf5::write_dataset(file, place("/scan_line_index"), layer.index_type, H5T_NATIVE_INT64,
                        {layer.index.size()}, layer.index.data());
    if (layer.parameters.empty()) return;
    if (layer.parameter_shape.empty()) layer.parameter_shape = {layer.parameters.size() / 2, 2};
    hdf5::write_dataset(file, place("/laser_params"), layer.parameter_type, H5T_NATIVE_DOUBLE,
                        layer.parameter_shape, layer.parameters.data());
}

inline std::string write_file(const std::string& path, const std::vector<RawLayer>& layers,
                              const std::vector<std::string>& objects = {}) {
    hdf5::Handle file = hdf5::create_file(path);
    for (const std::string& object : objects)
        (void)hdf5::create_group(file.get(), {path, "/" + object});
    for (const RawLayer& layer : layers) add_layer(file.get(), layer);
    hdf5::close_written(file, path);
    return path;
}

/// A valid layer: frames of 5 x 6 pixels with the given index; frame i is filled with grey i + 1.
inline RawLayer plain_layer(const std::vector<std::int64_t>& index, std::size_t lines,
                            const std::string& group = "/layer0000") {
    RawLayer layer;
    layer.group = group;
    layer.frame_shape = {index.size(), 5, 6};
    for (std::size_t i = 0; i < index.size(); ++i)
        layer.pixels.insert(layer.pixels.end(), 30, static_cast<std::uint8_t>(i + 1));
    layer.index = index;
    for (std::size_t i = 0; i < lines; ++i)
        layer.parameters.insert(layer.parameters.end(), {500.0 + double(i), 200.0});
    return layer;
}

}  // namespace edgeloop::test
