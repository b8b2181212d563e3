#include "edgeloop/adaptation/labelled_clips.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <string_view>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgeloop::adaptation {
namespace {

constexpr std::int64_t max_clips = 1'000'000, max_targets = 4096, max_frames = 4096;

/// A file in memory for as long as its header is looked at; of the rest nothing is touched.
class Mapping {
  public:
    Mapping(int file, const std::string& path) {
        struct stat facts {};
        if (::fstat(file, &facts) != 0)
            throw IoError(fmt::format("cannot read '{}'", path), std::strerror(errno));
        size_ = static_cast<std::size_t>(facts.st_size);
        if (size_ == 0) throw ConfigError(fmt::format("'{}' is empty", path));
        memory_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
        if (memory_ == MAP_FAILED)
            throw IoError(fmt::format("cannot read '{}'", path), std::strerror(errno));
    }
    ~Mapping() { ::munmap(memory_, size_); }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    [[nodiscard]] std::string_view bytes() const {
        return {static_cast<const char*>(memory_), size_};
    }

  private:
    void* memory_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace

LabelledClips::LabelledClips(const std::string& path)
    : path_(path), file_(open_regular_file(path)) {
    const Mapping mapping(file_.get(), path);
    const SafeTensors content = decode_safetensors(mapping.bytes(), path);
    const auto refuse = [&](const std::string& why) {
        throw ConfigError(fmt::format("'{}' has no labelled clips", path), why,
                          "edgeloop-data labelled writes such files");
    };
    const auto tensor = [&](const char* name, ElementType type,
                            std::size_t axes) -> const TensorView& {
        const auto found = content.tensors.find(name);
        if (found == content.tensors.end()) refuse(fmt::format("there is no tensor '{}'", name));
        if (found->second.type != type || found->second.shape.size() != axes)
            refuse(fmt::format("'{}' is not {} of {} axes", name, name_of(type), axes));
        return found->second;
    };
    const TensorView& input = tensor("input", ElementType::u8, 4);
    const TensorView& expected = tensor("expected", ElementType::f32, 2);
    const TensorView& line = tensor("line", ElementType::i64, 1);
    const std::int64_t clips = input.shape[0];
    if (clips < 1 || clips > max_clips || expected.shape[0] != clips || line.shape[0] != clips)
        refuse("its tensors are not of as many clips");
    if (input.shape[1] < 1 || input.shape[1] > max_frames || expected.shape[1] < 1 ||
        expected.shape[1] > max_targets)
        refuse("it has no frames or targets, or too many");
    if (input.shape[2] != crop_side || input.shape[3] != crop_side)
        refuse(fmt::format("its frames are not of {0}x{0}", crop_side));
    frames_ = static_cast<std::size_t>(input.shape[1]);
    targets_ = static_cast<std::size_t>(expected.shape[1]);
    first_byte_ = static_cast<std::uint64_t>(input.bytes.data() - mapping.bytes().data());
    lines_.resize(static_cast<std::size_t>(clips));
    expected_.resize(lines_.size() * targets_);
    std::memcpy(lines_.data(), line.bytes.data(), line.bytes.size());
    std::memcpy(expected_.data(), expected.bytes.data(), expected.bytes.size());
    for (std::size_t i = 0; i < expected_.size(); ++i)
        if (!std::isfinite(expected_[i]))
            refuse(fmt::format("the label of clip {} is no number", i / targets_));
}

void LabelledClips::read(std::size_t clip, std::uint8_t* crops) const {
    const std::size_t bytes = frames_ * crop_pixels;
    for (std::size_t have = 0; have < bytes;) {
        const ssize_t count =
            ::pread(file_.get(), crops + have, bytes - have,
                    static_cast<off_t>(first_byte_ + std::uint64_t{clip} * bytes + have));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0)
            throw IoError(fmt::format("cannot read '{}'", path_),
                          count < 0 ? std::strerror(errno) : "it has become shorter");
        have += static_cast<std::size_t>(count);
    }
}

}  // namespace edgeloop::adaptation
