#include "runtime.hpp"

#include "measuring.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::runtime_test {
namespace {

using ::testing::HasSubstr;

Json swin_with_heads(int heads) {
    return {{"family", "swin3d"},
            {"architecture", {{"embed_dim", 6}, {"depths", {1}}, {"heads", {heads}}}},
            {"clip", {{"frames", 4}, {"side", 8}}}};
}

TEST(NetworkOfAJob, MayBeRefusedThoughEachValueIsLegal) {
    EXPECT_EQ(network_of(swin_with_heads(3)).family, "swin3d");
    try {
        (void)network_of(swin_with_heads(4));
        FAIL() << "4 heads of width 6";
    } catch (const NetworkError& error) {
        EXPECT_THAT(error.problem(), HasSubstr("heads"));
    }
    EXPECT_THROW((void)network_of(swin_with_heads(0)), NetworkError);
    EXPECT_THROW((void)network_of(Json{{"family", "nope"}}), NetworkError);
}

TEST(NetworkOfAJob, ThatIsRefusedIsNoFailureOfTheDevice) {
    const MeasurementResult result =
        measure(make_job(swin_with_heads(4), MeasurementSettings(), ""),
                [](const Json& spec, const MeasurementSettings&) -> std::unique_ptr<Runtime> {
                    (void)network_of(spec);
                    return nullptr;
                });
    EXPECT_EQ(result.status, Status::failed);
    EXPECT_EQ(result.failure_of, FailureOf::network);
    EXPECT_THAT(result.reason, HasSubstr("heads"));
    EXPECT_TRUE(is_lasting(result));
}

}  // namespace
}  // namespace edgeloop::runtime_test
