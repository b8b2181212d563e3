// Links: what they lead to, and which of them leads nowhere.
#include "data/hdf5.hpp"

#include <array>

#include <fmt/format.h>

namespace edgeloop::hdf5 {
namespace {

herr_t append_name(hid_t, const char* name, const H5L_info_t*, void* names) {
    static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    return 0;
}

/// What a link that leads nowhere says of its end.
std::string describe_link(hid_t file, const std::string& path) {
    H5L_info_t info;
    std::array<char, 4096> value{};
    if (H5Lget_info(file, path.c_str(), &info, H5P_DEFAULT) >= 0 &&
        (info.type == H5L_TYPE_SOFT || info.type == H5L_TYPE_EXTERNAL) &&
        H5Lget_val(file, path.c_str(), value.data(), value.size() - 1, H5P_DEFAULT) >= 0) {
        if (info.type == H5L_TYPE_SOFT)
            return fmt::format("'{}' is a link to '{}', which is not there", path, value.data());
        const char *target_file = nullptr, *target = nullptr;
        if (H5Lunpack_elink_val(value.data(), info.u.val_size, nullptr, &target_file, &target) >= 0)
            return fmt::format("'{}' is a link to '{}' in the file '{}', which cannot be opened",
                               path, target, target_file);
    }
    return fmt::format("'{}' is damaged and cannot be opened", path);
}

}  // namespace

std::vector<std::string> link_names(hid_t group, const Place& place) {
    std::vector<std::string> names;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name, &names) < 0)
        throw_bad_input(place, "the group cannot be listed");
    return names;
}

bool link_exists(hid_t parent, const std::string& name) {
    const bool exists = H5Lexists(parent, name.c_str(), H5P_DEFAULT) > 0;
    H5Eclear2(H5E_DEFAULT);
    return exists;
}

LinkEnd link_end(hid_t parent, const std::string& name) {
    if (!link_exists(parent, name)) return LinkEnd::missing;
    const Handle object(H5Oopen(parent, name.c_str(), H5P_DEFAULT), H5Oclose);
    H5Eclear2(H5E_DEFAULT);
    if (!object.valid()) return LinkEnd::broken;
    return H5Iget_type(object.get()) == H5I_GROUP ? LinkEnd::group : LinkEnd::other;
}

std::string broken_link(hid_t file, const std::string& path) {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        const LinkEnd leads_to = link_end(file, part);
        if (leads_to == LinkEnd::broken) return describe_link(file, part);
        if (leads_to == LinkEnd::missing || end == std::string::npos) return {};
    }
}

}  // namespace edgeloop::hdf5
