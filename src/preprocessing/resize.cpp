#include "edgeloop/preprocessing/resize.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

// The same source for every machine; where the compiler supports it, a second copy for AVX2 is
// chosen at run time. Without fused multiply-add both give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EDGELOOP_VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define EDGELOOP_VECTORISED
#endif

namespace edgeloop {
namespace {

constexpr int lanes = 8;
using Vector = float __attribute__((vector_size(lanes * sizeof(float))));
using Lanes = int __attribute__((vector_size(lanes * sizeof(int))));

// out[lane] = pixels[index[lane]]
#if defined(__clang__)
#define EDGELOOP_PERMUTE(out, pixels, index) \
    for (int lane = 0; lane < lanes; ++lane) (out)[lane] = (pixels)[(index)[lane]]
#else
#define EDGELOOP_PERMUTE(out, pixels, index) (out) = __builtin_shuffle(pixels, index)
#endif

/// Where one output coordinate samples the input: in[low]*(1-weight) + in[high]*weight.
struct Tap {
    int low = 0, high = 0;
    float weight = 0;
};

/// Half-pixel centres, edges clamped, no antialiasing.
std::vector<Tap> make_taps(int input, int output) {
    std::vector<Tap> taps(static_cast<std::size_t>(output));
    const double scale = double(input) / double(output);
    for (int i = 0; i < output; ++i) {
        const double at = std::max((i + 0.5) * scale - 0.5, 0.0);
        const int low = std::min(int(at), input - 1);
        taps[std::size_t(i)] = {low, std::min(low + 1, input - 1), float(at - low)};
    }
    return taps;
}

/// Taps of eight neighbouring output columns that all lie within eight input pixels from `first`
/// on: one load and two permutations replace sixteen scattered loads.
struct TapBlock {
    int column = 0;  ///< of the output
    int first = 0;   ///< of the input
    std::array<int, lanes> low{}, high{};
    std::array<float, lanes> weight{};
};

EDGELOOP_VECTORISED
void normalise(const std::uint8_t* image, int count, float scale, float offset, float* out) {
    for (int i = 0; i < count; ++i) out[i] = float(image[i]) * scale + offset;
}

EDGELOOP_VECTORISED
void widen_block(const float* pixels, int height, int width, const TapBlock& block, float* wide,
                 int side) {
    Vector weight;
    Lanes low_at, high_at;
    std::memcpy(&low_at, block.low.data(), sizeof low_at);
    std::memcpy(&high_at, block.high.data(), sizeof high_at);
    std::memcpy(&weight, block.weight.data(), sizeof weight);
    const float* from = pixels + block.first;
    float* to = wide + block.column;
    for (int row = 0; row < height; ++row, from += width, to += side) {
        Vector eight, low, high;
        std::memcpy(&eight, from, sizeof eight);
        EDGELOOP_PERMUTE(low, eight, low_at);
        EDGELOOP_PERMUTE(high, eight, high_at);
        const Vector mixed = low + (high - low) * weight;
        std::memcpy(to, &mixed, sizeof mixed);
    }
}

void widen_plainly(const float* pixels, int height, int width, const Tap* taps, float* wide,
                   int side) {
    for (int row = 0; row < height; ++row, pixels += width, wide += side)
        for (int column = 0; column < side; ++column) {
            const Tap& tap = taps[column];
            wide[column] = pixels[tap.low] + (pixels[tap.high] - pixels[tap.low]) * tap.weight;
        }
}

EDGELOOP_VECTORISED
void heighten(const float* wide, const Tap* taps, int side, float* out) {
    for (int row = 0; row < side; ++row, out += side) {
        const float* low = wide + std::ptrdiff_t(taps[row].low) * side;
        const float* high = wide + std::ptrdiff_t(taps[row].high) * side;
        const float weight = taps[row].weight;
        for (int i = 0; i < side; ++i) out[i] = low[i] + (high[i] - low[i]) * weight;
    }
}

}  // namespace

struct Resizer::Impl {
    Impl(int input_height, int input_width, int side, const Normalisation& normalisation)
        : scale_(1 / (255 * float(normalisation.deviation))),
          offset_(-float(normalisation.mean) / float(normalisation.deviation)),
          height_(input_height),
          width_(input_width),
          side_(side),
          columns_(make_taps(input_width, side)),
          rows_(make_taps(input_height, side)),
          pixels_(static_cast<std::size_t>(input_height) * static_cast<std::size_t>(input_width) +
                  lanes),
          wide_(static_cast<std::size_t>(input_height) * static_cast<std::size_t>(side)) {
        make_blocks();
    }

    void run(const std::uint8_t* image, float* out) {
        const int count = height_ * width_;
        if (height_ == side_ && width_ == side_) {
            normalise(image, count, scale_, offset_, out);
            return;
        }
        normalise(image, count, scale_, offset_, pixels_.data());
        for (const TapBlock& block : blocks_)
            widen_block(pixels_.data(), height_, width_, block, wide_.data(), side_);
        if (blocks_.empty())
            widen_plainly(pixels_.data(), height_, width_, columns_.data(), wide_.data(), side_);
        heighten(wide_.data(), rows_.data(), side_, out);
    }

    /// Blocks that cover all columns, the last one overlapping its neighbour where the side is no
    /// multiple of eight. None when the side is too small or the image shrinks too much for them.
    void make_blocks() {
        for (int column = 0; side_ >= lanes && column < side_; column += lanes) {
            TapBlock block;
            block.column = std::min(column, side_ - lanes);
            block.first = columns_[std::size_t(block.column)].low;
            for (int lane = 0; lane < lanes; ++lane) {
                const Tap& tap = columns_[std::size_t(block.column + lane)];
                if (tap.high - block.first >= lanes) return blocks_.clear();
                block.low[std::size_t(lane)] = tap.low - block.first;
                block.high[std::size_t(lane)] = tap.high - block.first;
                block.weight[std::size_t(lane)] = tap.weight;
            }
            blocks_.push_back(block);
        }
    }

    float scale_, offset_;
    int height_, width_, side_;
    std::vector<Tap> columns_, rows_;
    std::vector<TapBlock> blocks_;
    std::vector<float> pixels_;  ///< normalised; padded, as a block may read past its row
    std::vector<float> wide_;    ///< resized along the rows: (height, side)
};

Resizer::Resizer(int input_height, int input_width, int side, const Normalisation& normalisation) {
    EDGELOOP_EXPECT(side > 0 && input_height > 0 && input_width > 0, "an empty image");
    impl_ = std::make_unique<Impl>(input_height, input_width, side, normalisation);
}

Resizer::~Resizer() = default;

void Resizer::run(const std::uint8_t* image, float* out) { impl_->run(image, out); }

}  // namespace edgeloop
