#include "edgeloop/core/error.hpp"
#include "edgeloop/data/loader.hpp"
#include "edgeloop/data/preprocessing.hpp"

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
    int first = 0;
    std::array<int, lanes> low{}, high{};
    std::array<float, lanes> weight{};
};

/// Resizing of one square image, with everything that depends on the sizes alone worked out.
class Resizer {
  public:
    Resizer(int input_height, int input_width, int side)
        : height_(input_height),
          width_(input_width),
          padded_(input_width + lanes),
          side_(side),
          columns_(make_taps(input_width, side)),
          rows_(make_taps(input_height, side)),
          pixels_(static_cast<std::size_t>(input_height) * static_cast<std::size_t>(padded_)),
          wide_(static_cast<std::size_t>(input_height) * static_cast<std::size_t>(side)) {
        for (std::size_t value = 0; value < table_.size(); ++value)
            table_[value] = (float(value) / 255.0F - pixel_mean) / pixel_deviation;
        make_blocks();
    }

    void run(const std::uint8_t* image, float* out) {
        normalise(image);
        widen();
        heighten(out);
    }

  private:
    void make_blocks() {
        for (int column = 0; column + lanes <= side_; column += lanes) {
            TapBlock block;
            block.first = columns_[std::size_t(column)].low;
            for (int lane = 0; lane < lanes; ++lane) {
                const Tap& tap = columns_[std::size_t(column + lane)];
                if (tap.high - block.first >= lanes) return blocks_.clear();
                block.low[std::size_t(lane)] = tap.low - block.first;
                block.high[std::size_t(lane)] = tap.high - block.first;
                block.weight[std::size_t(lane)] = tap.weight;
            }
            blocks_.push_back(block);
        }
    }

    void normalise(const std::uint8_t* image) {
        for (int row = 0; row < height_; ++row) {
            const std::uint8_t* from = image + std::ptrdiff_t(row) * width_;
            float* to = pixels_.data() + std::ptrdiff_t(row) * padded_;
            for (int column = 0; column < width_; ++column) to[column] = table_[from[column]];
        }
    }

    void widen() {
        for (int row = 0; row < height_; ++row)
            widen_row(pixels_.data() + std::ptrdiff_t(row) * padded_,
                      wide_.data() + std::ptrdiff_t(row) * side_, blocks_.data(), blocks_.size(),
                      columns_.data(), side_);
    }

    void heighten(float* out) const {
        for (int row = 0; row < side_; ++row) {
            const Tap& tap = rows_[std::size_t(row)];
            mix_rows(wide_.data() + std::ptrdiff_t(tap.low) * side_,
                     wide_.data() + std::ptrdiff_t(tap.high) * side_, tap.weight, side_,
                     out + std::ptrdiff_t(row) * side_);
        }
    }

    static void widen_row(const float* from, float* to, const TapBlock* blocks, std::size_t count,
                          const Tap* taps, int side);
    static void mix_rows(const float* low, const float* high, float weight, int count, float* out);

    int height_, width_, padded_, side_;
    std::vector<Tap> columns_, rows_;
    std::vector<TapBlock> blocks_;  ///< empty when the image shrinks too much for them
    std::vector<float> pixels_;     ///< normalised, rows padded so that a block may read past
    std::vector<float> wide_;       ///< resized along the rows
    std::array<float, 256> table_{};
};

EDGELOOP_VECTORISED
void Resizer::widen_row(const float* from, float* to, const TapBlock* blocks, std::size_t count,
                        const Tap* taps, int side) {
    for (std::size_t i = 0; i < count; ++i) {
        const TapBlock& block = blocks[i];
        Vector pixels, weight, low, high;
        Lanes low_at, high_at;
        std::memcpy(&pixels, from + block.first, sizeof pixels);
        std::memcpy(&low_at, block.low.data(), sizeof low_at);
        std::memcpy(&high_at, block.high.data(), sizeof high_at);
        std::memcpy(&weight, block.weight.data(), sizeof weight);
        EDGELOOP_PERMUTE(low, pixels, low_at);
        EDGELOOP_PERMUTE(high, pixels, high_at);
        const Vector mixed = low + (high - low) * weight;
        std::memcpy(to + i * lanes, &mixed, sizeof mixed);
    }
    for (int column = int(count) * lanes; column < side; ++column) {
        const Tap& tap = taps[column];
        to[column] = from[tap.low] + (from[tap.high] - from[tap.low]) * tap.weight;
    }
}

EDGELOOP_VECTORISED
void Resizer::mix_rows(const float* low, const float* high, float weight, int count, float* out) {
    for (int i = 0; i < count; ++i) out[i] = low[i] + (high[i] - low[i]) * weight;
}

}  // namespace

void normalise_and_resize(const Batch& batch, int side, float* clips) {
    EDGELOOP_EXPECT(side > 0 && batch.height > 0 && batch.width > 0, "an empty image");
    const std::size_t images = batch.samples * static_cast<std::size_t>(batch.frames);
    const std::size_t input = static_cast<std::size_t>(batch.height) * std::size_t(batch.width);
    const std::size_t output = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
    EDGELOOP_EXPECT(batch.pixels.size() >= images * input, "a batch with too few pixels");
    Resizer resizer(batch.height, batch.width, side);
    for (std::size_t i = 0; i < images; ++i)
        resizer.run(batch.pixels.data() + i * input, clips + i * output);
}

}  // namespace edgeloop
