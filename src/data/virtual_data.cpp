#include "data/stored_data.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
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

/// What get(buffer, size) writes of a text whose length it returns; empty when there is none.
template <class Get>
std::string text_of(const Get& get) {
    const ssize_t length = get(nullptr, 0);
    std::string text(length > 0 ? static_cast<std::size_t>(length) + 1 : 1, '\0');
    if (length > 0) get(text.data(), text.size());
    text.pop_back();
    return text;
}

Mapping mapping_of(hid_t list, std::size_t index) {
    const auto name = [&](auto get) {
        return text_of([&](char* to, std::size_t size) { return get(list, index, to, size); });
    };
    return {name(H5Pget_virtual_filename), name(H5Pget_virtual_dsetname),
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
        std::istringstream all(prefixes);
        for (std::string prefix; std::getline(all, prefix, ':');)
            if (!prefix.empty())
                places.push_back((fs::path(with_origin(prefix, virtual_file)) / rest).string());
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

/// A regular hyperslab of which one axis has no end.
struct EndlessSlab {
    std::vector<hsize_t> start, stride, count, block;  ///< along every axis
    std::size_t axis = 0;                              ///< the one without an end
};

/// Nothing when the selection is none, or has ends everywhere.
std::optional<EndlessSlab> endless_slab(hid_t space) {
    if (H5Sget_select_type(space) != H5S_SEL_HYPERSLABS || H5Sis_regular_hyperslab(space) <= 0)
        return std::nullopt;
    const std::vector<hsize_t> zeros(std::size_t(std::max(H5Sget_simple_extent_ndims(space), 0)));
    EndlessSlab slab{zeros, zeros, zeros, zeros};
    if (H5Sget_regular_hyperslab(space, slab.start.data(), slab.stride.data(), slab.count.data(),
                                 slab.block.data()) < 0)
        return std::nullopt;
    for (; slab.axis < zeros.size(); ++slab.axis)
        if (slab.count[slab.axis] == H5S_UNLIMITED || slab.block[slab.axis] == H5S_UNLIMITED)
            return slab;
    return std::nullopt;
}

/// Blocks that begin before `end` on an axis.
hsize_t blocks_before(const EndlessSlab& slab, std::size_t axis, hsize_t end) {
    if (end <= slab.start[axis]) return 0;
    return (end - slab.start[axis] + slab.stride[axis] - 1) / slab.stride[axis];
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
        if (H5Sget_select_type(target) == H5S_SEL_ALL) {
            all_ = true;
        } else if (std::optional<EndlessSlab> slab = endless_slab(target)) {
            if (!end_at_shape(*slab)) return;
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
        const hsize_t elements = elements_of({shape_.begin(), shape_.end()});
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
    [[nodiscard]] bool end_at_shape(EndlessSlab& slab) const {
        const std::size_t axis = slab.axis;
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
hsize_t entries_on(const EndlessSlab& slab, std::size_t axis, hsize_t end) {
    if (slab.block[axis] == H5S_UNLIMITED) return end - std::min(end, slab.start[axis]);
    if (slab.count[axis] != H5S_UNLIMITED) return slab.count[axis] * slab.block[axis];
    const hsize_t blocks = blocks_before(slab, axis, end);
    if (blocks == 0) return 0;
    const hsize_t last = slab.start[axis] + (blocks - 1) * slab.stride[axis];
    return (blocks - 1) * slab.block[axis] + std::min(slab.block[axis], end - last);
}

/// Elements that a mapping must give; `one_block`: a single one of a selection without end.
hsize_t elements_wanted(const Dataset& dataset, hid_t target, bool one_block) {
    const std::optional<EndlessSlab> slab = endless_slab(target);
    if (!slab) return hsize_t(std::max<hssize_t>(H5Sget_select_npoints(target), 0));
    hsize_t elements = 1;
    for (std::size_t axis = 0; axis < dataset.shape.size(); ++axis)
        elements *= axis == slab->axis && one_block ? slab->block[axis]
                                                    : entries_on(*slab, axis, dataset.shape[axis]);
    return elements;
}

/// Elements that a source has for a mapping. A whole source has all it has now.
hsize_t elements_given(const Dataset& source, hid_t taken, hsize_t wanted) {
    const std::optional<EndlessSlab> slab = endless_slab(taken);
    const bool whole = H5Sget_select_type(taken) == H5S_SEL_ALL;
    if (whole) return elements_of(source.shape);
    if (slab) {
        hsize_t elements = 1;
        for (std::size_t axis = 0; axis < source.shape.size(); ++axis)
            elements *= entries_on(*slab, axis, source.shape[axis]);
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
    const std::string name = text_of(
        [&](char* to, std::size_t size) { return H5Fget_name(dataset.id.get(), to, size); });
    return name.empty() ? dataset.place.file : name;
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
        const std::optional<EndlessSlab> slab = endless_slab(mapping.target.get());
        if (slab && is_numbered(mapping)) {
            const hsize_t blocks = blocks_before(*slab, slab->axis, dataset.shape[slab->axis]);
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
