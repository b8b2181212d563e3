#include "data/links.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace edgeloop::hdf5 {
namespace {

namespace fs = std::filesystem;

constexpr int max_links = 16;  ///< on one path; as many as HDF5 follows

/// Where the library looks for a file, in its order.
std::vector<std::string> places_of(const std::string& name, const std::string& referring,
                                   const char* variable) {
    std::vector<std::string> places;
    const bool absolute = fs::path(name).is_absolute();
    if (absolute) places.push_back(name);
    const std::string rest = absolute ? fs::path(name).filename().string() : name;
    if (const char* prefixes = std::getenv(variable)) {
        std::istringstream all(prefixes);
        for (std::string prefix; std::getline(all, prefix, ':');)
            if (!prefix.empty())
                places.push_back((fs::path(with_origin(prefix, referring)) / rest).string());
    }
    places.push_back((fs::path(referring).parent_path() / rest).string());
    places.push_back(rest);
    std::error_code failed;
    const fs::path real = fs::canonical(referring, failed);
    if (!failed) places.push_back((real.parent_path() / rest).string());
    return places;
}

/// In the folder or below it, but not in what is hidden there: in a home that would be keys.
bool is_inside(const fs::path& file, const fs::path& folder) {
    const auto [end, rest] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
    if (end != folder.end()) return false;
    if (folder == folder.root_path()) return file.parent_path() == folder;
    return std::none_of(rest, file.end(),
                        [](const fs::path& part) { return part.string().front() == '.'; });
}

/// A soft or external link, or what a hard one is.
struct Link {
    H5L_type_t type = H5L_TYPE_ERROR;
    std::string file, target;
};

/// Nothing when it is damaged.
std::optional<Link> read_link(hid_t group, const std::string& name) {
    H5L_info_t info;
    if (H5Lget_info(group, name.c_str(), &info, H5P_DEFAULT) < 0) return std::nullopt;
    Link link{info.type, {}, {}};
    if (info.type != H5L_TYPE_SOFT && info.type != H5L_TYPE_EXTERNAL) return link;
    std::string value(info.u.val_size + 1, '\0');
    if (H5Lget_val(group, name.c_str(), value.data(), value.size() - 1, H5P_DEFAULT) < 0)
        return std::nullopt;
    if (info.type == H5L_TYPE_SOFT) {
        link.target = value.c_str();
        return link;
    }
    const char *file = nullptr, *target = nullptr;
    if (H5Lunpack_elink_val(value.data(), info.u.val_size, nullptr, &file, &target) < 0)
        return std::nullopt;
    link.file = file;
    link.target = target;
    return link;
}

std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> parts;
    std::istringstream all(path);
    for (std::string part; std::getline(all, part, '/');)
        if (!part.empty() && part != ".") parts.push_back(part);
    return parts;
}

/// A way through groups and links, one name at a time.
class Walk {
  public:
    Walk(hid_t start, const std::string& path, const References& references)
        : references_(references),
          at_(H5Gopen2(start, path.rfind('/', 0) == 0 ? "/" : ".", H5P_DEFAULT), H5Gclose) {
        for (std::string& part : parts_of(path)) left_.push_back(std::move(part));
    }

    Target run() {
        std::string name = ".";
        while (at_.valid() && !left_.empty()) {
            name = std::exchange(left_.front(), {});
            left_.pop_front();
            const bool of_link = names_of_link_ > 0;
            names_of_link_ -= of_link ? 1 : 0;
            if (H5Lexists(at_.get(), name.c_str(), H5P_DEFAULT) <= 0)
                return of_link ? broken(leads_nowhere_) : Target();
            const std::optional<Link> link = read_link(at_.get(), name);
            if (!link) return broken(damaged(name));
            if (link->type == H5L_TYPE_HARD) {
                if (left_.empty()) break;
                if (std::optional<Target> end = enter(name)) return std::move(*end);
            } else {
                if (std::optional<Target> end = follow(name, *link)) return std::move(*end);
                name = ".";
            }
        }
        return arrived(name);
    }

  private:
    [[nodiscard]] static Target broken(
        std::string problem,
        std::string suggestion = "bring back what it leads to, or remove the link") {
        Target target;
        target.end = LinkEnd::broken;
        target.problem = std::move(problem);
        target.suggestion = std::move(suggestion);
        return target;
    }
    [[nodiscard]] std::string path_of(const std::string& name) const {
        const std::string group =
            text_of([&](char* to, std::size_t size) { return H5Iget_name(at_.get(), to, size); });
        return group == "/" ? group + name : group + "/" + name;
    }
    [[nodiscard]] std::string damaged(const std::string& name) const {
        return fmt::format("'{}' is damaged and cannot be opened", path_of(name));
    }

    /// Goes on in a group. @return the end, if it is none.
    [[nodiscard]] std::optional<Target> enter(const std::string& name) {
        Handle group(H5Gopen2(at_.get(), name.c_str(), H5P_DEFAULT), H5Gclose);
        if (group.valid()) {
            at_ = std::move(group);
            return std::nullopt;
        }
        const Handle other(H5Oopen(at_.get(), name.c_str(), H5P_DEFAULT), H5Oclose);
        return other.valid() ? Target() : broken(damaged(name));
    }

    /// Goes on where a link leads. @return the end, if that is nowhere.
    [[nodiscard]] std::optional<Target> follow(const std::string& name, const Link& link) {
        const std::string path = path_of(name);
        if (++followed_ > max_links)
            return broken(fmt::format("'{}' is one of too many links in a row", path));
        const std::vector<std::string> names = parts_of(link.target);
        if (link.type == H5L_TYPE_SOFT) {
            leads_nowhere_ =
                fmt::format("'{}' is a link to '{}', which is not there", path, link.target);
            if (link.target.rfind('/', 0) == 0)
                at_ = Handle(H5Gopen2(at_.get(), "/", H5P_DEFAULT), H5Gclose);
        } else if (link.type == H5L_TYPE_EXTERNAL) {
            const std::string in_file = fmt::format(
                "'{}' is a link to '{}' in the file '{}', which ", path, link.target, link.file);
            leads_nowhere_ = in_file + "cannot be opened";
            const Referred file =
                find_referred(link.file, file_of(at_.get()), "HDF5_EXT_PREFIX", references_);
            if (!file.refusal.problem.empty())
                return broken(in_file + file.refusal.problem, file.refusal.suggestion);
            if (file.path.empty() || !enter_file(file.path)) return broken(leads_nowhere_);
        } else {
            return broken(fmt::format("'{}' is a link of an unknown kind", path));
        }
        left_.insert(left_.begin(), names.begin(), names.end());
        names_of_link_ += names.size();
        return std::nullopt;
    }

    [[nodiscard]] bool enter_file(const std::string& path) {
        try {
            const Handle file = open_for_reading(path);
            at_ = Handle(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose);  // keeps it open
            return at_.valid();
        } catch (const Error&) {
            return false;
        }
    }

    [[nodiscard]] Target arrived(const std::string& name) {
        if (!at_.valid()) return broken("the group that it leads to cannot be opened");
        const Handle object(H5Oopen(at_.get(), name.c_str(), H5P_DEFAULT), H5Oclose);
        if (!object.valid()) return broken(damaged(name));
        Target target;
        target.end = H5Iget_type(object.get()) == H5I_GROUP ? LinkEnd::group : LinkEnd::other;
        target.parent = std::move(at_);
        target.name = name;
        return target;
    }

    const References& references_;
    Handle at_;
    std::deque<std::string> left_;
    std::size_t names_of_link_ = 0;  ///< of those left, that a link's target has put there
    std::string leads_nowhere_;      ///< of the link followed last
    int followed_ = 0;
};

}  // namespace

Refusal refusal_of(const std::string& path, const References& references) {
    std::error_code failed;
    const fs::path real = fs::canonical(path, failed);
    if (failed || !fs::is_regular_file(real, failed))
        return {"is no regular file", "put a plain file in its place"};
    const fs::path folder = fs::canonical(references.file, failed).parent_path();
    if (references.external == External::allow || is_inside(real, folder)) return {};
    return {
        fmt::format("is '{}', outside the recording's folder '{}'", real.string(), folder.string()),
        "bring the file into that folder, or, if you trust the recording, allow it with "
        "--allow-external"};
}

Referred find_referred(const std::string& name, const std::string& referring, const char* variable,
                       const References& references) {
    for (const std::string& place : places_of(name, referring, variable)) {
        std::error_code failed;
        const fs::file_type type = fs::status(place, failed).type();
        if (type == fs::file_type::none || type == fs::file_type::not_found ||
            type == fs::file_type::unknown || type == fs::file_type::directory)
            continue;
        return {place, refusal_of(place, references)};
    }
    return {};
}

Handle Target::open_group() const {
    return {H5Gopen2(parent.get(), name.c_str(), H5P_DEFAULT), H5Gclose};
}

Target find(hid_t start, const std::string& path, const References& references) {
    Target target = Walk(start, path, references).run();
    H5Eclear2(H5E_DEFAULT);
    return target;
}

std::string file_of(hid_t object) {
    return text_of([&](char* to, std::size_t size) { return H5Fget_name(object, to, size); });
}

std::string with_origin(std::string prefix, const std::string& file) {
    const std::string mark = "${ORIGIN}";
    if (prefix.rfind(mark, 0) != 0) return prefix;
    return (fs::path(file).parent_path() / ("./" + prefix.substr(mark.size()))).string();
}

}  // namespace edgeloop::hdf5
