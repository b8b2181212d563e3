#include "edgeloop/data/tensor_file.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <vector>

#include <fmt/format.h>
#include <hdf5.h>

namespace edgeloop {
namespace {

constexpr std::int64_t most_elements = std::int64_t{1} << 31;

/// Keeps HDF5 from printing its error stack; errors are reported through exceptions.
class QuietErrors {
  public:
    QuietErrors() {
        H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    }
    ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
    QuietErrors(const QuietErrors&) = delete;
    QuietErrors& operator=(const QuietErrors&) = delete;

  private:
    H5E_auto2_t function_ = nullptr;
    void* data_ = nullptr;
};

/// Owns one HDF5 identifier and closes it with the function of its kind.
class Handle {
  public:
    Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
    ~Handle() {
        if (id_ >= 0) close_(id_);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    [[nodiscard]] hid_t get() const { return id_; }
    [[nodiscard]] bool valid() const { return id_ >= 0; }

  private:
    hid_t id_;
    herr_t (*close_)(hid_t);
};

/// Shape of a dataset; its product is checked against `most_elements`.
std::vector<std::int64_t> shape_of(hid_t dataset, const std::string& where) {
    const Handle space(H5Dget_space(dataset), H5Sclose);
    const int rank = space.valid() ? H5Sget_simple_extent_ndims(space.get()) : -1;
    if (rank < 0) throw ConfigError(where + ": has no readable shape");
    std::vector<hsize_t> extent(static_cast<std::size_t>(rank));
    H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr);
    std::vector<std::int64_t> shape;
    std::int64_t elements = 1;
    for (const hsize_t length : extent) {
        if (length > static_cast<hsize_t>(most_elements) ||
            (length > 0 && elements > most_elements / static_cast<std::int64_t>(length)))
            throw ConfigError(where + ": has more elements than any tensor of a model");
        shape.push_back(static_cast<std::int64_t>(length));
        elements *= shape.back();
    }
    return shape;
}

FloatArray read_dataset(hid_t dataset, const std::string& where) {
    const Handle type(H5Dget_type(dataset), H5Tclose);
    const H5T_class_t kind = H5Tget_class(type.get());
    if (kind != H5T_FLOAT && kind != H5T_INTEGER)
        throw ConfigError(where + ": is not an array of numbers");
    FloatArray array;
    array.shape = shape_of(dataset, where);
    std::int64_t elements = 1;
    for (const std::int64_t length : array.shape) elements *= length;
    array.values.resize(static_cast<std::size_t>(elements));
    if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()) < 0)
        throw ConfigError(where + ": cannot be read", "the file may be truncated");
    return array;
}

/// Whether every link of the path exists; H5Oopen on a missing path is not distinguishable.
bool exists(hid_t file, const std::string& path) {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        if (H5Lexists(file, path.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
        if (end == std::string::npos) return true;
    }
}

herr_t collect_dataset_name(hid_t group, const char* name, const H5L_info_t*, void* names) {
    const Handle object(H5Oopen(group, name, H5P_DEFAULT), H5Oclose);
    if (object.valid() && H5Iget_type(object.get()) == H5I_DATASET)
        static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    return 0;
}

}  // namespace

TensorFile::TensorFile(const std::string& path) : path_(path) {
    const QuietErrors quiet;
    if (!std::filesystem::exists(path)) throw ConfigError(path + ": does not exist");
    file_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file_ < 0)
        throw ConfigError(path + ": is not a whole HDF5 file", "it may be truncated or locked");
}

TensorFile::~TensorFile() {
    if (file_ >= 0) H5Fclose(file_);
}

std::optional<std::string> TensorFile::text_attribute(const std::string& name) const {
    const QuietErrors quiet;
    if (H5Aexists(file_, name.c_str()) <= 0) return std::nullopt;
    const Handle attribute(H5Aopen(file_, name.c_str(), H5P_DEFAULT), H5Aclose);
    const Handle type(H5Aget_type(attribute.get()), H5Tclose);
    const Handle space(H5Aget_space(attribute.get()), H5Sclose);
    const std::string where = fmt::format("{}: attribute '{}'", path_, name);
    if (H5Tget_class(type.get()) != H5T_STRING || H5Sget_simple_extent_npoints(space.get()) != 1)
        throw ConfigError(where + " is not a text");
    if (H5Tis_variable_str(type.get()) > 0) {
        char* text = nullptr;
        if (H5Aread(attribute.get(), type.get(), &text) < 0 || text == nullptr)
            throw ConfigError(where + " cannot be read");
        std::string result = text;
        H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, &text);
        return result;
    }
    std::string text(H5Tget_size(type.get()), '\0');
    if (H5Aread(attribute.get(), type.get(), text.data()) < 0)
        throw ConfigError(where + " cannot be read");
    text.resize(std::min(text.size(), text.find('\0')));
    return text;
}

std::optional<FloatArray> TensorFile::read(const std::string& name) const {
    const QuietErrors quiet;
    if (!exists(file_, name)) return std::nullopt;
    const std::string where = fmt::format("{}: '{}'", path_, name);
    const Handle dataset(H5Dopen2(file_, name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset.valid()) throw ConfigError(where + " is not a dataset");
    return read_dataset(dataset.get(), where);
}

FloatArray TensorFile::require(const std::string& name) const {
    std::optional<FloatArray> array = read(name);
    if (!array) throw ConfigError(fmt::format("{}: dataset '{}' is missing", path_, name));
    return std::move(*array);
}

std::map<std::string, FloatArray> TensorFile::read_group(const std::string& group) const {
    const QuietErrors quiet;
    std::map<std::string, FloatArray> arrays;
    if (!exists(file_, group)) return arrays;
    const Handle opened(H5Gopen2(file_, group.c_str(), H5P_DEFAULT), H5Gclose);
    if (!opened.valid()) throw ConfigError(fmt::format("{}: '{}' is not a group", path_, group));
    std::vector<std::string> names;
    H5Lvisit(opened.get(), H5_INDEX_NAME, H5_ITER_INC, collect_dataset_name, &names);
    for (const std::string& name : names) {
        std::string dotted = name;
        std::replace(dotted.begin(), dotted.end(), '/', '.');
        arrays.emplace(dotted, require(group + "/" + name));
    }
    return arrays;
}

}  // namespace edgeloop
