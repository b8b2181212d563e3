#include "data/virtual_data.hpp"

#include "data/links.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include <fmt/format.h>

namespace edgeloop::hdf5 {
namespace {

constexpr int max_nesting = 8;
/// Of one dataset, nested ones included: reading opens them all again.
constexpr std::size_t max_sources = std::size_t(1) << 16;
/// HDF5 spreads out a selection into its pieces, which takes memory for each.
constexpr hsize_t max_pieces = hsize_t(1) << 20;
constexpr const char* bring_source = "bring the source back, or set HDF5_VDS_PREFIX to its folder";

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

/// A regular hyperslab: start, stride, count and block along every axis.
struct Slab {
    std::vector<hsize_t> start, stride, count, block;
    std::size_t axis = 0;  ///< the one without an end; the number of axes when all have one

    [[nodiscard]] bool is_endless() const { return axis < start.size(); }
};

/// Nothing when the selection is none.
std::optional<Slab> regular_slab(hid_t space) {
    if (H5Sget_select_type(space) != H5S_SEL_HYPERSLABS || H5Sis_regular_hyperslab(space) <= 0)
        return std::nullopt;
    const std::vector<hsize_t> zeros(std::size_t(std::max(H5Sget_simple_extent_ndims(space), 0)));
    Slab slab{zeros, zeros, zeros, zeros};
    if (H5Sget_regular_hyperslab(space, slab.start.data(), slab.stride.data(), slab.count.data(),
                                 slab.block.data()) < 0)
        return std::nullopt;
    for (; slab.axis < zeros.size(); ++slab.axis)
        if (slab.count[slab.axis] == H5S_UNLIMITED || slab.block[slab.axis] == H5S_UNLIMITED) break;
    return slab;
}

std::optional<Slab> endless_slab(hid_t space) {
    std::optional<Slab> slab = regular_slab(space);
    return slab && slab->is_endless() ? slab : std::nullopt;
}

/// Blocks that begin before `end` on an axis.
hsize_t blocks_before(const Slab& slab, std::size_t axis, hsize_t end) {
    if (end <= slab.start[axis]) return 0;
    return (end - slab.start[axis] + slab.stride[axis] - 1) / slab.stride[axis];
}

/// Ends a selection without end where a dataset ends, or within a block after that; false when
/// nothing is left. @param end  of the dataset on the axis.
bool end_at(Slab& slab, hsize_t end) {
    const std::size_t axis = slab.axis;
    if (end <= slab.start[axis]) return false;
    if (slab.block[axis] == H5S_UNLIMITED) {
        slab.count[axis] = slab.stride[axis] = 1;
        slab.block[axis] = end - slab.start[axis];
    } else {
        slab.count[axis] = blocks_before(slab, axis, end);
    }
    slab.axis = slab.start.size();
    return true;
}

/// Refuses a selection in too many pieces. @param shape  where it ends if it has no end.
void check_pieces(const Dataset& dataset, hid_t space, const std::vector<std::uint64_t>& shape) {
    std::optional<Slab> slab = regular_slab(space);
    if (!slab ||
        (slab->is_endless() && (slab->axis >= shape.size() || !end_at(*slab, shape[slab->axis]))))
        return;
    for (std::size_t axis = 0; axis < slab->count.size(); ++axis)
        if (slab->count[axis] > max_pieces && slab->stride[axis] != slab->block[axis])
            throw_bad_input(
                dataset.place,
                fmt::format("a source gives it {} pieces along one axis; at most {} are "
                            "put together",
                            slab->count[axis], max_pieces),
                "make the virtual dataset again from whole frames");
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
        } else if (std::optional<Slab> slab = endless_slab(target)) {
            if (!end_at(*slab, shape_[slab->axis])) return;
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
    const std::optional<Slab> slab = endless_slab(target);
    if (!slab) return hsize_t(std::max<hssize_t>(H5Sget_select_npoints(target), 0));
    hsize_t elements = 1;
    for (std::size_t axis = 0; axis < dataset.shape.size(); ++axis)
        elements *= axis == slab->axis && one_block ? slab->block[axis]
                                                    : entries_on(*slab, axis, dataset.shape[axis]);
    return elements;
}

/// Elements that a source has for a mapping. A whole source has all it has now.
hsize_t elements_given(const Dataset& source, hid_t taken, hsize_t wanted) {
    const std::optional<Slab> slab = endless_slab(taken);
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
void check_source_shape(const Dataset& dataset, hid_t target, hid_t taken, bool one_block,
                        const Dataset& source) {
    const hsize_t wanted = elements_wanted(dataset, target, one_block);
    const bool whole = H5Sget_select_type(taken) == H5S_SEL_ALL;
    const bool same_rank = H5Sget_simple_extent_ndims(taken) == int(source.shape.size());
    if ((!whole && !same_rank) || elements_given(source, taken, wanted) != wanted)
        throw_bad_input(dataset.place,
                        fmt::format("the {} elements that it takes from {} are not what that has: "
                                    "its shape is ({})",
                                    wanted, source.place.text(), fmt::join(source.shape, ", ")),
                        "copy the source again");
    check_pieces(dataset, taken, source.shape);
}

}  // namespace

bool VirtualSources::Mapping::is_numbered() const {
    return numbered(file, 0) != numbered(file, 1) || numbered(dataset, 0) != numbered(dataset, 1);
}

bool VirtualSources::Mapping::has_blocks() const {
    return is_numbered() && endless_slab(target.get()).has_value();
}

VirtualSources::Mapping VirtualSources::mapping_of(hid_t list, std::size_t index) {
    const auto name = [&](auto get) {
        return text_of([&](char* to, std::size_t size) { return get(list, index, to, size); });
    };
    return {name(H5Pget_virtual_filename), name(H5Pget_virtual_dsetname),
            Handle(H5Pget_virtual_vspace(list, index), H5Sclose),
            Handle(H5Pget_virtual_srcspace(list, index), H5Sclose)};
}

VirtualSources::VirtualSources(const Dataset& dataset, hid_t creation_list,
                               References& references) {
    if (references.depth > max_nesting)
        throw_bad_input(dataset.place,
                        "virtual datasets take their data from each other too often");
    std::size_t mappings = 0;
    if (H5Pget_virtual_count(creation_list, &mappings) < 0)
        throw_bad_input(dataset.place, "its list of sources cannot be read");
    ++references.depth;
    for (std::size_t i = 0; i < mappings; ++i) {
        mappings_.push_back(mapping_of(creation_list, i));
        if (!mappings_.back().has_blocks()) {
            (void)look_at(dataset, i, 0, references);
            continue;
        }
        // All that HDF5 will look for.
        hsize_t missing = 0;
        for (hsize_t block = 0; missing <= max_gap; ++block)
            missing = look_at(dataset, i, block, references) ? 0 : missing + 1;
    }
    --references.depth;
}

/// @return whether it is there.
bool VirtualSources::look_at(const Dataset& dataset, std::size_t mapping, hsize_t block,
                             References& references) {
    if (++references.sources > max_sources)
        throw_bad_input(dataset.place,
                        fmt::format("it takes data from more than {} places", max_sources));
    const std::string name = numbered(mappings_[mapping].file, block);
    const std::string own = file_of(dataset.id.get());
    const Referred file =
        name == "." ? Referred{own, {}} : find_referred(name, own, "HDF5_VDS_PREFIX", references);
    if (!file.refusal.problem.empty())
        throw_bad_input(
            dataset.place,
            fmt::format("it takes data from the file '{}', which {}", name, file.refusal.problem),
            file.refusal.suggestion);
    if (file.path.empty()) return false;
    try {
        const Handle opened = open_for_reading(file.path);
        const Place place{file.path, numbered(mappings_[mapping].dataset, block)};
        Dataset source = open_dataset(opened.get(), place, {}, references);
        source.id.close();
        found_.emplace(std::pair(mapping, block), std::move(source));
    } catch (const ConfigError& error) {
        if (error.problem().find(dataset.place.text()) == 0) throw;
        throw ConfigError(fmt::format("{}: a source of this virtual dataset: {}",
                                      dataset.place.text(), error.problem()),
                          error.why(), error.suggestion());
    }
    return true;
}

void VirtualSources::use(Dataset& dataset, std::size_t index, hsize_t block) const {
    const Mapping& mapping = mappings_[index];
    const auto found = found_.find({index, block});
    if (found == found_.end())
        throw_bad_input(dataset.place,
                        fmt::format("it takes data from the file '{}', which is not there",
                                    numbered(mapping.file, block)),
                        bring_source);
    const Dataset& source = found->second;
    dataset.files.insert(source.files.begin(), source.files.end());
    check_source_shape(dataset, mapping.target.get(), mapping.source.get(), mapping.is_numbered(),
                       source);
}

void VirtualSources::check(Dataset& dataset) const {
    std::set<std::string> counted;
    for (const auto& [place, source] : found_)
        if (counted.insert(source.place.text()).second) dataset.stored_bytes += source.stored_bytes;
    Coverage coverage(dataset);
    for (std::size_t i = 0; i < mappings_.size(); ++i) {
        const hid_t target = mappings_[i].target.get();
        const std::optional<Slab> slab = endless_slab(target);
        if (slab && slab->start.size() != dataset.shape.size())
            throw_bad_input(dataset.place, "its list of sources is damaged");
        check_pieces(dataset, target, dataset.shape);
        hsize_t blocks = 1;
        if (slab && mappings_[i].is_numbered())
            blocks =
                std::max<hsize_t>(blocks_before(*slab, slab->axis, dataset.shape[slab->axis]), 1);
        for (hsize_t block = 0; block < blocks; ++block) use(dataset, i, block);
        coverage.add(target);
    }
    if (const hsize_t missing = coverage.missing(); missing > 0)
        throw_bad_input(dataset.place,
                        fmt::format("{} of its elements come from no source", missing),
                        "make the virtual dataset again");
}

}  // namespace edgeloop::hdf5
