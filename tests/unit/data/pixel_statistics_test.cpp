#include "edgeloop/data/pixel_statistics.hpp"

#include "support.hpp"

#include "edgeloop/data/loader.hpp"

#include <cmath>
#include <memory>

#include <gtest/gtest.h>

namespace edgeloop::pixel_statistics_test {
namespace {

TEST(PixelStatistics, BringClipsToMean0AndDeviation1) {
    const test::TemporaryFolder folder;
    (void)test::small_shards(folder);
    const auto dataset = std::make_shared<const Dataset>(folder.path("shards"));
    const Normalisation found = pixel_statistics(*dataset);
    EXPECT_NE(found.mean, Normalisation().mean);
    LoaderOptions options;
    options.window = {4, 1, 0, ShortLines::skip, 0};
    options.side = crop_side;
    options.normalisation = found;
    Loader loader(dataset, options);
    loader.start_epoch(0);
    Batch batch;
    double n = 0, sum = 0, squares = 0;
    while (loader.next(batch))
        for (std::size_t i = 0; i < batch.samples * 4 * crop_pixels; ++i) {
            const double value = double(batch.clips.get()[i]);
            n += 1;
            sum += value;
            squares += value * value;
        }
    ASSERT_GT(n, 0);
    EXPECT_NEAR(sum / n, 0, 0.1);
    EXPECT_NEAR(std::sqrt(squares / n), 1, 0.1);
}

TEST(PixelStatistics, HaveThreeDigits) {
    const test::TemporaryFolder folder;
    (void)test::small_shards(folder);
    const Normalisation found = pixel_statistics(Dataset(folder.path("shards")));
    for (const double value : {found.mean, found.deviation}) {
        const double scale = std::pow(10.0, 2 - std::floor(std::log10(value)));
        EXPECT_NEAR(value * scale, std::round(value * scale), 1e-6) << value;
    }
}

}  // namespace
}  // namespace edgeloop::pixel_statistics_test
