#include "edgeloop/data/tensor_file.hpp"

#include "data/hdf5.hpp"
#include "data/links.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <vector>

namespace edgeloop {
namespace {

constexpr std::uint64_t max_elements = std::uint64_t{1} << 31;

/// Number of elements, checked before anything is allocated.
std::uint64_t elements_of(const hdf5::Dataset& dataset) {
    std::uint64_t elements = 1;
    for (const std::uint64_t length : dataset.shape) {
        if (length > max_elements || (length > 0 && elements > max_elements / length))
            hdf5::throw_bad_input(dataset.place, "more elements than any tensor of a model");
        elements *= length;
    }
    return elements;
}

FloatArray read_array(const hdf5::Dataset& dataset) {
    if (dataset.kind == hdf5::NumberKind::other)
        hdf5::throw_bad_input(dataset.place, "not an array of numbers");
    FloatArray array;
    array.values.resize(elements_of(dataset));
    array.shape.assign(dataset.shape.begin(), dataset.shape.end());
    hdf5::read_all(dataset, H5T_NATIVE_FLOAT, array.values.data());
    return array;
}

/// @throws ConfigError  a link on the way leads nowhere, or to another folder.
hdf5::Target find(hid_t file, const hdf5::Place& place) {
    hdf5::Target target = hdf5::find(file, place.object, hdf5::References{place.file});
    if (target.end == hdf5::LinkEnd::broken)
        hdf5::throw_bad_input(place, target.problem, target.suggestion);
    return target;
}

struct Visit {
    hdf5::References references;
    std::vector<std::string> datasets;
};

/// Ends the visit at a link that leads nowhere or to damage, and at one to a group, whose content
/// the visit would leave out.
herr_t collect_dataset_name(hid_t group, const char* name, const H5L_info_t* link, void* to) {
    Visit& visit = *static_cast<Visit*>(to);
    const hdf5::Target target = hdf5::find(group, name, visit.references);
    const bool is_group = target.end == hdf5::LinkEnd::group;
    if (target.end == hdf5::LinkEnd::broken || target.end == hdf5::LinkEnd::missing) return -1;
    if (is_group && link->type != H5L_TYPE_HARD) return -1;
    const hdf5::Handle object(H5Oopen(target.parent.get(), target.name.c_str(), H5P_DEFAULT),
                              H5Oclose);
    if (H5Iget_type(object.get()) == H5I_DATASET) visit.datasets.emplace_back(name);
    return 0;
}

}  // namespace

TensorFile::TensorFile(const std::string& path)
    : path_(path), file_(std::make_shared<const hdf5::Handle>(hdf5::open_for_reading(path))) {}

std::optional<std::string> TensorFile::text_attribute(const std::string& name) const {
    if (!hdf5::has_attribute(file_->get(), name)) return std::nullopt;
    return hdf5::read_string_attribute(file_->get(), {path_, "/"}, name);
}

std::optional<FloatArray> TensorFile::read(const std::string& name) const {
    if (find(file_->get(), {path_, name}).end == hdf5::LinkEnd::missing) return std::nullopt;
    return read_array(hdf5::open_dataset(file_->get(), {path_, name}));
}

FloatArray TensorFile::require(const std::string& name) const {
    std::optional<FloatArray> array = read(name);
    if (!array) hdf5::throw_bad_input({path_, name}, "the dataset is missing");
    return std::move(*array);
}

std::map<std::string, FloatArray> TensorFile::read_group(const std::string& group) const {
    std::map<std::string, FloatArray> arrays;
    const hid_t file = file_->get();
    const hdf5::Target target = find(file, {path_, group});
    if (target.end == hdf5::LinkEnd::missing) return arrays;
    if (target.end != hdf5::LinkEnd::group) hdf5::throw_bad_input({path_, group}, "not a group");
    const hdf5::Handle opened = target.open_group();
    Visit visit{hdf5::References{path_}, {}};
    if (!opened.valid() ||
        H5Lvisit(opened.get(), H5_INDEX_NAME, H5_ITER_INC, collect_dataset_name, &visit) < 0)
        hdf5::throw_bad_input({path_, group}, "the group cannot be read to its end");
    for (const std::string& name : visit.datasets) {
        std::string dotted = name;
        std::replace(dotted.begin(), dotted.end(), '/', '.');
        arrays.emplace(dotted, require(group + "/" + name));
    }
    return arrays;
}

}  // namespace edgeloop
