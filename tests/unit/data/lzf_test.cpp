#include "data/lzf.hpp"

#include "unit/data/refusal.hpp"
#include "unit/data/support.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/data/recording.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <hdf5.h>

namespace edgeloop::lzf_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// Nothing when the stream is damaged. The stream is a copy of its exact size, so that the address
/// sanitizer sees a read past its end.
std::optional<Bytes> inflate(const Bytes& stream) {
    const auto exact = std::make_unique<std::uint8_t[]>(stream.size());
    std::copy(stream.begin(), stream.end(), exact.get());
    const auto size = lzf::decompressed_size(exact.get(), stream.size());
    if (!size) return std::nullopt;
    Bytes out(*size + 8, 0xee);
    lzf::decompress(exact.get(), stream.size(), out.data());
    EXPECT_TRUE(std::all_of(out.end() - 8, out.end(), [](int byte) { return byte == 0xee; }));
    out.resize(*size);
    return out;
}

/// A stream of random runs, and what it stands for, told by another way of decoding.
struct Example {
    Bytes stream, content;
};

Example example(RandomStream& random) {
    Example result;
    const auto byte = [&random] { return static_cast<std::uint8_t>(random.below(256)); };
    for (std::size_t runs = 1 + random.below(12); runs > 0; --runs) {
        if (result.content.empty() || random.below(2) == 0) {
            const std::size_t length = 1 + random.below(32);
            result.stream.push_back(static_cast<std::uint8_t>(length - 1));
            for (std::size_t i = 0; i < length; ++i) {
                result.stream.push_back(byte());
                result.content.push_back(result.stream.back());
            }
            continue;
        }
        const std::size_t distance =
            1 + random.below(std::min<std::size_t>(result.content.size(), 8192));
        const std::size_t length = 3 + random.below(262);
        const std::size_t high = (distance - 1) >> 8, rest = length - 2;
        result.stream.push_back(
            static_cast<std::uint8_t>(std::min<std::size_t>(rest, 7) << 5 | high));
        if (rest >= 7) result.stream.push_back(static_cast<std::uint8_t>(rest - 7));
        result.stream.push_back(static_cast<std::uint8_t>((distance - 1) & 255));
        for (std::size_t i = 0; i < length; ++i)
            result.content.push_back(result.content[result.content.size() - distance]);
    }
    return result;
}

TEST(Lzf, ByHand) {
    EXPECT_EQ(inflate({2, 'a', 'b', 'c'}), (Bytes{'a', 'b', 'c'}));
    EXPECT_EQ(inflate({0, 'a', 0x20, 0}), (Bytes{'a', 'a', 'a', 'a'})) << "runs into itself";
    EXPECT_EQ(inflate({1, 'a', 'b', 0x40, 1}), (Bytes{'a', 'b', 'a', 'b', 'a', 'b'}));
    EXPECT_EQ(inflate({0, 'a', 0xe0, 1, 0})->size(), 1U + 10);
    EXPECT_EQ(inflate({}), Bytes{});
}

TEST(Lzf, RefusesStreamsThatAreCutOffOrCopyFromBeforeTheBeginning) {
    for (const Bytes& stream :
         {Bytes{0}, Bytes{3, 'a', 'b', 'c'}, Bytes{0, 'a', 0x20}, Bytes{0, 'a', 0xe0, 1},
          Bytes{0, 'a', 0xe0}, Bytes{0x20, 0}, Bytes{0, 'a', 0x20, 1}, Bytes{0, 'a', 0x3f, 0xff}})
        EXPECT_EQ(inflate(stream), std::nullopt);
}

TEST(Lzf, AnyRunsGiveTheirContent) {
    RandomStream random(1, "lzf");
    for (int i = 0; i < 2000; ++i) {
        const Example one = example(random);
        ASSERT_EQ(inflate(one.stream), one.content) << "example " << i;
    }
}

TEST(Lzf, DamagedStreamsNeverLeadOutsideTheirBuffers) {
    RandomStream random(2, "lzf");
    std::size_t refused = 0;
    for (int i = 0; i < 20000; ++i) {
        Bytes stream = example(random).stream;
        if (random.below(2) == 0) stream.resize(random.below(stream.size()));
        for (std::size_t changes = random.below(4); changes > 0 && !stream.empty(); --changes)
            stream[random.below(stream.size())] = static_cast<std::uint8_t>(random.below(256));
        refused += inflate(stream) ? 0 : 1;
    }
    EXPECT_GT(refused, 2000U);
}

/// Made once with h5py: `lzf` layers are copies of the `plain` ones.
TEST(Lzf, FilesThatH5pyCompressedAreRead) {
    const auto file = open_recording(test::reference_file("lzf_by_h5py.hdf5"));
    const std::vector<LayerInfo> layers = file->layers();
    ASSERT_EQ(layers.size(), 3U);
    std::vector<Bytes> pixels;
    for (const LayerInfo& layer : layers) {
        pixels.emplace_back(layer.frames * std::size_t(layer.height) * std::size_t(layer.width));
        file->read_frames(layer, 0, layer.frames, pixels.back().data());
        EXPECT_EQ(file->labels(layer).at(3), 210);
        EXPECT_EQ(file->line_index(layer).frames_of(1), layer.frames / 2);
    }
    EXPECT_GT(*std::max_element(pixels[0].begin(), pixels[0].end()), 100);
    EXPECT_EQ(pixels[1], pixels[0]) << "lzf";
    EXPECT_EQ(pixels[2], pixels[0]) << "shuffle, lzf and fletcher32";
}

TEST(Lzf, DamagedFilesAreRefused) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("C001.hdf5");
    for (unsigned filler : {0x00U, 0xffU, 0x20U}) {
        write_file_atomic(path, read_file(test::reference_file("lzf_by_h5py.hdf5")));
        const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
        const hid_t frames = H5Dopen2(file, "/layer0001/frame", H5P_DEFAULT);
        const Bytes chunk(40, static_cast<std::uint8_t>(filler));
        const std::array<hsize_t, 3> at = {0, 0, 0};
        ASSERT_GE(H5Dwrite_chunk(frames, H5P_DEFAULT, 0, at.data(), chunk.size(), chunk.data()), 0);
        H5Dclose(frames);
        H5Fclose(file);
        test::expect_refused(path, "/layer0001/frame", "cannot be read");
    }
}

}  // namespace
}  // namespace edgeloop::lzf_test
