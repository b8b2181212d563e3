#include "data/shard_file.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/data/dataset.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace edgeloop {
namespace {

constexpr const char* format_name = "edgeloop-shard";
constexpr const char* content_attribute = "content_digest";
constexpr std::uint64_t max_lines_in_shard = std::uint64_t(1) << 28;
constexpr std::uint64_t max_frames_in_shard = std::uint64_t(1) << 48;
constexpr std::uint64_t max_targets = 1024;

std::vector<std::uint64_t> starts_of(const std::vector<ShardLine>& lines) {
    std::vector<std::uint64_t> starts = {0};
    for (const ShardLine& line : lines) starts.push_back(starts.back() + line.frames);
    return starts;
}

/// Reads a table of known shape. @throws ConfigError  another shape.
template <class T>
std::vector<T> read_table(hid_t file, const std::string& path, const char* name, hid_t type,
                          const std::vector<std::uint64_t>& shape) {
    const hdf5::Dataset dataset = hdf5::open_dataset(file, {path, name});
    if (dataset.shape != shape || dataset.kind == hdf5::NumberKind::other)
        hdf5::throw_bad_input(dataset.place, "unexpected shape or type");
    std::vector<T> values(hdf5::elements_of(shape));
    hdf5::read_rows(dataset, 0, shape[0], type, values.data());
    return values;
}

std::uint64_t count_of_lines(hid_t file, const std::string& path) {
    const hdf5::Dataset lines = hdf5::open_dataset(file, {path, "line_number"});
    if (lines.shape.size() != 1 || lines.shape[0] > max_lines_in_shard)
        hdf5::throw_bad_input(lines.place, "unexpected shape");
    return lines.shape[0];
}

void check_header(hid_t file, const std::string& path, const std::string& settings_digest) {
    const hdf5::Place place{path, "/"};
    if (hdf5::read_string_attribute(file, place, "format") != format_name)
        hdf5::throw_bad_input(place, "not a shard");
    const std::int64_t version = hdf5::read_integer_attribute(file, place, "version");
    if (version != shard_version)
        hdf5::throw_bad_input(place, fmt::format("format version {}; this program reads version {}",
                                                 version, shard_version));
    if (hdf5::read_string_attribute(file, place, "settings_digest") != settings_digest)
        hdf5::throw_bad_input(place, "the shard was made with other settings than the catalogue",
                              "make the shards again with edgeloop-data shard --force");
}

std::atomic<std::uint64_t> opened{0};

}  // namespace

ShardWriter::ShardWriter(std::string path, const ShardHead& head)
    : file_(std::move(path)), starts_(starts_of(head.lines)) {
    write_tables(head);
    add_content(head);
    const auto side = std::uint64_t(crop_side);
    frames_ = hdf5::create_dataset(file_.id(), file_.place("frames"), H5T_STD_U8LE,
                                   {starts_.back(), side, side}, {});
}

void ShardWriter::write_tables(const ShardHead& head) {
    const hid_t file = file_.id();
    const auto place = [this](const char* name) { return file_.place(name); };
    hdf5::write_attribute(file, place("/"), "format", std::string(format_name));
    hdf5::write_attribute(file, place("/"), "version", std::int64_t(shard_version));
    hdf5::write_attribute(file, place("/"), "crop_side", std::int64_t(crop_side));
    hdf5::write_attribute(file, place("/"), "settings_digest", head.settings_digest);
    hdf5::write_attribute(file, place("/"), "target_columns", to_text(head.targets));
    hdf5::write_attribute(file, place("/"), "parts",
                          std::string("0 train, 1 validation, 2 test, 3 prediction"));
    const std::uint64_t lines = head.lines.size();
    hdf5::write_strings(file, place("layers"), head.layers);
    const auto write = [&](const char* name, hid_t stored, hid_t native, const auto& get) {
        std::vector<decltype(get(ShardLine()))> values;
        for (const ShardLine& line : head.lines) values.push_back(get(line));
        hdf5::write_dataset(file, place(name), stored, native, {lines}, values.data());
    };
    write("line_number", H5T_STD_U64LE, H5T_NATIVE_UINT64,
          [](const ShardLine& line) { return line.number; });
    write("layer", H5T_STD_U32LE, H5T_NATIVE_UINT32,
          [](const ShardLine& line) { return line.layer; });
    write("scan_line", H5T_STD_I64LE, H5T_NATIVE_INT64,
          [](const ShardLine& line) { return line.scan_line; });
    write("part", H5T_STD_U8LE, H5T_NATIVE_UINT8,
          [](const ShardLine& line) { return static_cast<std::uint8_t>(line.part); });
    hdf5::write_dataset(file, place("target"), H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                        {lines, head.targets.size()}, head.labels.data());
    hdf5::write_dataset(file, place("line_start"), H5T_STD_U64LE, H5T_NATIVE_UINT64, {lines + 1},
                        starts_.data());
}

void ShardWriter::add_content(const ShardHead& head) {
    const double* labels = head.labels.data();
    for (const ShardLine& line : head.lines) {
        const double* end = labels + head.targets.size();
        content_ = digest(fmt::format("{}{} {} {} {} {}", content_, line.number, line.scan_line,
                                      line.frames, static_cast<int>(line.part),
                                      fmt::join(labels, end, " ")))
                       .hex();
        labels = end;
    }
}

void ShardWriter::add_content(const CroppedLine& line) {
    const Digest pixels =
        digest({reinterpret_cast<const char*>(line.pixels.data()), line.frames * crop_pixels});
    content_ = digest(content_ + pixels.hex()).hex();
}

void ShardWriter::append(const CroppedLine& line) {
    EDGELOOP_EXPECT(
        next_ + 1 < starts_.size() && line.frames == starts_[next_ + 1] - starts_[next_],
        "a line differs from the shard's plan");
    hdf5::write_rows(frames_, starts_[next_], line.frames, H5T_NATIVE_UINT8, line.pixels.data());
    centres_.push_back(static_cast<std::int16_t>(line.centre.row));
    centres_.push_back(static_cast<std::int16_t>(line.centre.column));
    add_content(line);
    ++next_;
}

void ShardWriter::commit() {
    EDGELOOP_EXPECT(next_ + 1 == starts_.size(), "a shard lacks lines of its plan");
    hdf5::write_dataset(file_.id(), file_.place("crop_centre"), H5T_STD_I16LE, H5T_NATIVE_INT16,
                        {next_, 2}, centres_.data());
    hdf5::write_attribute(file_.id(), file_.place("/"), content_attribute, content_);
    frames_.id.close();
    file_.commit(Durability::power_cut);
}

MappedShard::MappedShard(const std::string& path, const std::string& settings_digest) {
    ++opened;
    const hdf5::Handle file = hdf5::open_for_reading(path);
    check_header(file.get(), path, settings_digest);
    if (hdf5::has_attribute(file.get(), content_attribute))
        content = hdf5::read_string_attribute(file.get(), {path, "/"}, content_attribute);
    read_tables(file.get(), path);
    const hdf5::Dataset frames = hdf5::open_dataset(file.get(), {path, "frames"});
    const auto side = std::uint64_t(crop_side);
    if (frames.shape != std::vector<std::uint64_t>{starts_.back(), side, side} ||
        frames.kind != hdf5::NumberKind::integer || frames.element_bytes != 1)
        hdf5::throw_bad_input(frames.place, "unexpected shape or type");
    map(hdf5::descriptor_of(file.get(), path), path,
        starts_.back() > 0 ? hdf5::offset_in_file(frames) : 0, starts_.back() * crop_pixels);
}

void MappedShard::read_tables(hid_t file, const std::string& path) {
    const std::uint64_t count = count_of_lines(file, path);
    const auto number =
        read_table<std::uint64_t>(file, path, "line_number", H5T_NATIVE_UINT64, {count});
    const auto layer = read_table<std::uint32_t>(file, path, "layer", H5T_NATIVE_UINT32, {count});
    const auto scan_line =
        read_table<std::int64_t>(file, path, "scan_line", H5T_NATIVE_INT64, {count});
    const auto part = read_table<std::uint8_t>(file, path, "part", H5T_NATIVE_UINT8, {count});
    const hdf5::Dataset target = hdf5::open_dataset(file, {path, "target"});
    if (target.shape.size() != 2 || target.shape[1] == 0 || target.shape[1] > max_targets)
        hdf5::throw_bad_input(target.place, "unexpected shape");
    targets = target.shape[1];
    labels = read_table<double>(file, path, "target", H5T_NATIVE_DOUBLE, {count, targets});
    starts_ = read_table<std::uint64_t>(file, path, "line_start", H5T_NATIVE_UINT64, {count + 1});
    if (starts_[0] != 0) hdf5::throw_bad_input({path, "line_start"}, "must begin with 0");
    if (starts_[count] > max_frames_in_shard)
        hdf5::throw_bad_input({path, "line_start"}, "more frames than a shard can have");
    lines.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (starts_[i + 1] <= starts_[i])
            hdf5::throw_bad_input({path, "line_start"}, fmt::format("line {} is empty", i));
        if (part[i] >= split_part_count)
            hdf5::throw_bad_input({path, "part"}, fmt::format("line {} has part {}", i, part[i]));
        lines.push_back({number[i], layer[i], scan_line[i], starts_[i + 1] - starts_[i],
                         static_cast<SplitPart>(part[i])});
    }
}

/// Through the descriptor that HDF5 has open: a file system for thousands of ranks feels each open.
void MappedShard::map(int descriptor, const std::string& path, std::uint64_t offset,
                      std::uint64_t bytes) {
    struct stat info {};
    if (::fstat(descriptor, &info) != 0)
        throw IoError(fmt::format("cannot examine file '{}'", path), std::strerror(errno));
    file_bytes = static_cast<std::uint64_t>(info.st_size);
    if (offset > file_bytes || bytes > file_bytes - offset)
        throw ConfigError(fmt::format("shard '{}' is truncated", path), {},
                          "make the shards again with edgeloop-data shard --force");
    void* start = ::mmap(nullptr, file_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (start == MAP_FAILED)
        throw IoError(fmt::format("cannot map '{}' into memory", path), std::strerror(errno));
    mapping = {static_cast<const std::uint8_t*>(start),
               [start, size = file_bytes](const std::uint8_t*) { ::munmap(start, size); }};
    pixels_ = mapping.get() + offset;
}

std::uint64_t opened_shards() { return opened; }

MappedShard open_shard(const std::string& folder, const Catalogue& catalogue,
                       const CatalogueShard& shard) {
    const std::string path = folder + "/" + shard.file;
    MappedShard mapped(path, catalogue.settings_digest);
    const bool same_content = shard.content.empty() || mapped.content == shard.content;
    if (mapped.file_bytes != shard.bytes || !same_content ||
        mapped.targets != catalogue.targets.size())
        throw ConfigError(fmt::format("shard '{}' is not the one that its catalogue lists", path),
                          "shards of two datasets would be read as one",
                          "make the shards again with edgeloop-data shard --force");
    return mapped;
}

std::optional<MappedShard> finished_shard(const std::string& path,
                                          const std::string& settings_digest) {
    if (!std::filesystem::exists(path)) return std::nullopt;
    try {
        MappedShard shard(path, settings_digest);
        if (!shard.content.empty()) return shard;
    } catch (const ConfigError&) {  // damaged, or of other settings: as good as none
    }
    return std::nullopt;
}

}  // namespace edgeloop
