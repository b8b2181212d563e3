#include "data/virtual_data.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include <fmt/format.h>

namespace edgeloop::hdf5 {
namespace {

namespace fs = std::filesystem;

constexpr int max_nesting = 8;
constexpr const char* bring_source = "bring the source back, or set HDF5_VDS_PREFIX to its folder";

/// One entry of a virtual dataset: a part of it that comes from a part of another dataset.
struct Mapping {
    std::string file, dataset;  ///< "." is the same file; "%b" stands for the number of a block
    Handle target, source;      ///< selections
};

std::string text_of(ssize_t (*get)(hid_t, std::size_t, char*, std::size_t), hid_t list,
                    std::size_t index) {
    const ssize_t length = get(list, index, nullptr, 0);
    std::string text(length > 0 ? static_cast<std::size_t>(length) + 1 : 1, '\0');
    if (length > 0) get(list, index, text.data(), text.size());
    text.pop_back();
    return text;
}

Mapping mapping_of(hid_t list, std::size_t index) {
    return {text_of(H5Pget_virtual_filename, list, index),
            text_of(H5Pget_virtual_dsetname, list, index),
            Handle(H5Pget_virtual_vspace(list, index), H5Sclose),
            Handle(H5Pget_virtual_srcspace(list, index), H5Sclose)};
}

/// "%b" becomes the number, "%%" becomes "%".
std::string numbered(const std::string& pattern, hsize_t block) {
    std::string text;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char next = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
        if (next != 'b' && next != '%') {
            text += pattern[i];
            continue;
        }
        text += next == 'b' ? std::to_string(block) : "%";
        ++i;
    }
    return text;
}

bool is_numbered(const Mapping& mapping) {
    return numbered(mapping.file, 0) != numbered(mapping.file, 1) ||
           numbered(mapping.dataset, 0) != numbered(mapping.dataset, 1);
}

/// Where the library looks for a source, in its order.
std::vector<std::string> places_of(const std::string& name, const std::string& virtual_file) {
    std::vector<std::string> places;
    const bool absolute = fs::path(name).is_absolute();
    if (absolute) places.push_back(name);
    const std::string rest = absolute ? fs::path(name).filename().string() : name;
    if (const char* prefixes = std::getenv("HDF5_VDS_PREFIX")) {
        const std::string all = prefixes;
        for (std::size_t begin = 0; begin <= all.size();) {
            const std::size_t end = std::min(all.find(':', begin), all.size());
            const std::string prefix = all.substr(begin, end - begin);
            if (!prefix.empty())
                places.push_back((fs::path(with_origin(prefix, virtual_file)) / rest).string());
            begin = end + 1;
        }
    }
    places.push_back((fs::path(virtual_file).parent_path() / rest).string());
    places.push_back(rest);
    std::error_code failed;
    const fs::path real = fs::canonical(virtual_file, failed);
    if (!failed) places.push_back((real.parent_path() / rest).string());
    return places;
}

/// @throws ConfigError  it is nowhere.
std::string find_source(const Dataset& dataset, const std::string& name) {
    if (name == ".") return file_of(dataset);
    for (const std::string& place : places_of(name, file_of(dataset))) {
        std::error_code failed;
        if (fs::is_regular_file(place, failed)) return place;
    }
    throw_bad_input(dataset.place,
                    fmt::format("it takes data from the file '{}', which is not there", name),
                    bring_source);
}

/// The hyperslab of a selection along every axis.
struct Slab {
    std::vector<hsize_t> start, stride, count, block;
};

std::optional<Slab> regular_slab(hid_t space) {
    if (H5Sget_select_type(space) != H5S_SEL_HYPERSLABS || H5Sis_regular_hyperslab(space) <= 0)
        return std::nullopt;
    const auto rank = static_cast<std::size_t>(std::max(H5Sget_simple_extent_ndims(space), 0));
    Slab slab{std::vector<hsize_t>(rank), std::vector<hsize_t>(rank), std::vector<hsize_t>(rank),
              std::vector<hsize_t>(rank)};
    if (H5Sget_regular_hyperslab(space, slab.start.data(), slab.stride.data(), slab.count.data(),
                                 slab.block.data()) < 0)
        return std::nullopt;
    return slab;
}

/// Blocks that begin before `end` on an axis.
hsize_t blocks_before(const Slab& slab, std::size_t axis, hsize_t end) {
    if (end <= slab.start[axis]) return 0;
    return (end - slab.start[axis] + slab.stride[axis] - 1) / slab.stride[axis];
}

/// The axis without an end; nothing when the selection has ends everywhere.
std::optional<std::size_t> endless_axis(const Slab& slab) {
    for (std::size_t axis = 0; axis < slab.count.size(); ++axis)
        if (slab.count[axis] == H5S_UNLIMITED || slab.block[axis] == H5S_UNLIMITED) return axis;
    return std::nullopt;
}

/// What the mappings give of a dataset.
class Coverage {
  public:
    explicit Coverage(const Dataset& dataset)
        : shape_(dataset.shape.begin(), dataset.shape.end()),
          covered_(H5Dget_space(dataset.id.get()), H5Sclose) {
        H5Sselect_none(covered_.get());
    }
    void add(hid_t target) {
        std::optional<Slab> slab = regular_slab(target);
        if (H5Sget_select_type(target) == H5S_SEL_ALL) {
            all_ = true;
        } else if (const auto axis = slab ? endless_axis(*slab) : std::nullopt) {
            if (!end_at_shape(*slab, *axis)) return;
            H5Sselect_hyperslab(covered_.get(), H5S_SELECT_OR, slab->start.data(),
                                slab->stride.data(), slab->count.data(), slab->block.data());
        } else if (H5Sget_select_type(covered_.get()) == H5S_SEL_NONE) {
            H5Sselect_copy(covered_.get(), target);
        } else {
            H5Smodify_select(covered_.get(), H5S_SELECT_OR, target);
        }
    }
    /// Call it last.
    [[nodiscard]] hsize_t missing() {
        hsize_t elements = 1;
        for (const hsize_t extent : shape_) elements *= extent;
        if (all_) return 0;
        if (H5Sget_select_type(covered_.get()) == H5S_SEL_NONE) return elements;
        const std::vector<hsize_t> zeros(shape_.size(), 0), ones(shape_.size(), 1);
        H5Sselect_hyperslab(covered_.get(), H5S_SELECT_AND, zeros.data(), nullptr, ones.data(),
                            shape_.data());
        const hssize_t points = H5Sget_select_npoints(covered_.get());
        return points < 0 ? elements : elements - hsize_t(points);
    }

  private:
    /// Ends a selection without end where the dataset ends, or within a block after that; false
    /// when nothing is left.
    [[nodiscard]] bool end_at_shape(Slab& slab, std::size_t axis) const {
        const hsize_t end = shape_[axis];
        if (end <= slab.start[axis]) return false;
        if (slab.block[axis] == H5S_UNLIMITED) {
            slab.count[axis] = slab.stride[axis] = 1;
            slab.block[axis] = end - slab.start[axis];
        } else {
            slab.count[axis] = blocks_before(slab, axis, end);
        }
        return true;
    }

    std::vector<hsize_t> shape_;
    Handle covered_;
    bool all_ = false;
};

/// Elements of a selection on one axis of a dataset with `end` entries on it.
hsize_t entries_on(const Slab& slab, std::size_t axis, hsize_t end) {
    if (slab.block[axis] == H5S_UNLIMITED) return end - std::min(end, slab.start[axis]);
    if (slab.count[axis] != H5S_UNLIMITED) return slab.count[axis] * slab.block[axis];
    const hsize_t blocks = blocks_before(slab, axis, end);
    if (blocks == 0) return 0;
    const hsize_t last = slab.start[axis] + (blocks - 1) * slab.stride[axis];
    return (blocks - 1) * slab.block[axis] + std::min(slab.block[axis], end - last);
}

/// Elements that a mapping must give; `one_block`: a single one of a selection without end.
hsize_t elements_wanted(const Dataset& dataset, hid_t target, bool one_block) {
    const std::optional<Slab> slab = regular_slab(target);
    const std::optional<std::size_t> endless = slab ? endless_axis(*slab) : std::nullopt;
    if (!endless) return hsize_t(std::max<hssize_t>(H5Sget_select_npoints(target), 0));
    hsize_t elements = 1;
    for (std::size_t axis = 0; axis < dataset.shape.size(); ++axis)
        elements *= axis == *endless && one_block ? slab->block[axis]
                                                  : entries_on(*slab, axis, dataset.shape[axis]);
    return elements;
}

/// Elements that a source has for a mapping. A whole source has all it has now.
hsize_t elements_given(const Dataset& source, hid_t taken, hsize_t wanted) {
    const std::optional<Slab> slab = regular_slab(taken);
    const bool whole = H5Sget_select_type(taken) == H5S_SEL_ALL;
    if (whole || (slab && endless_axis(*slab))) {
        hsize_t elements = 1;
        for (std::size_t axis = 0; axis < source.shape.size(); ++axis)
            elements *= whole ? source.shape[axis] : entries_on(*slab, axis, source.shape[axis]);
        return elements;
    }
    std::vector<hsize_t> first(source.shape.size()), last(source.shape.size());
    if (H5Sget_select_bounds(taken, first.data(), last.data()) < 0) return 0;
    for (std::size_t axis = 0; axis < last.size(); ++axis)
        if (last[axis] >= source.shape[axis]) return 0;
    return wanted;
}

/// The part that is taken must be inside the source as it is now.
void check_source_shape(const Dataset& dataset, const Mapping& mapping, const Dataset& source) {
    const hid_t taken = mapping.source.get();
    const hsize_t wanted = elements_wanted(dataset, mapping.target.get(), is_numbered(mapping));
    const bool whole = H5Sget_select_type(taken) == H5S_SEL_ALL;
    const bool same_rank = H5Sget_simple_extent_ndims(taken) == int(source.shape.size());
    if ((!whole && !same_rank) || elements_given(source, taken, wanted) != wanted)
        throw_bad_input(dataset.place,
                        fmt::format("the {} elements that it takes from {} are not what that has: "
                                    "its shape is ({})",
                                    wanted, source.place.text(), fmt::join(source.shape, ", ")),
                        "copy the source again");
}

void check_source(Dataset& dataset, const Mapping& mapping, const std::string& file_name,
                  const std::string& dataset_name, int depth) {
    const std::string path = find_source(dataset, file_name);
    try {
        const Handle file = open_for_reading(path);
        const Dataset source =
            open_dataset(file.get(), {path, dataset_name}, {0, Stored::required, depth + 1});
        dataset.files.insert(source.files.begin(), source.files.end());
        check_source_shape(dataset, mapping, source);
    } catch (const ConfigError& error) {
        if (error.problem().find(dataset.place.text()) == 0) throw;
        throw ConfigError(fmt::format("{}: a source of this virtual dataset: {}",
                                      dataset.place.text(), error.problem()),
                          error.why(), error.suggestion());
    }
}

}  // namespace

std::string file_of(const Dataset& dataset) {
    const ssize_t length = H5Fget_name(dataset.id.get(), nullptr, 0);
    if (length <= 0) return dataset.place.file;
    std::string name(static_cast<std::size_t>(length) + 1, '\0');
    H5Fget_name(dataset.id.get(), name.data(), name.size());
    name.pop_back();
    return name;
}

std::string with_origin(std::string prefix, const std::string& file) {
    const std::string mark = "${ORIGIN}";
    if (prefix.rfind(mark, 0) != 0) return prefix;
    return (fs::path(file).parent_path() / ("./" + prefix.substr(mark.size()))).string();
}

void check_virtual(Dataset& dataset, hid_t creation_list, int depth) {
    if (depth > max_nesting)
        throw_bad_input(dataset.place,
                        "virtual datasets take their data from each other too often");
    std::size_t mappings = 0;
    if (H5Pget_virtual_count(creation_list, &mappings) < 0)
        throw_bad_input(dataset.place, "its list of sources cannot be read");
    Coverage coverage(dataset);
    for (std::size_t i = 0; i < mappings; ++i) {
        const Mapping mapping = mapping_of(creation_list, i);
        const std::optional<Slab> slab = regular_slab(mapping.target.get());
        const std::optional<std::size_t> axis = slab ? endless_axis(*slab) : std::nullopt;
        if (axis && is_numbered(mapping)) {
            const hsize_t blocks = blocks_before(*slab, *axis, dataset.shape[*axis]);
            for (hsize_t block = 0; block < std::max<hsize_t>(blocks, 1); ++block)
                check_source(dataset, mapping, numbered(mapping.file, block),
                             numbered(mapping.dataset, block), depth);
        } else {
            check_source(dataset, mapping, numbered(mapping.file, 0), numbered(mapping.dataset, 0),
                         depth);
        }
        coverage.add(mapping.target.get());
    }
    if (const hsize_t missing = coverage.missing(); missing > 0)
        throw_bad_input(dataset.place,
                        fmt::format("{} of its elements come from no source", missing),
                        "make the virtual dataset again");
}

}  // namespace edgeloop::hdf5
