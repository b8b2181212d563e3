#include "support/temporary_folder.hpp"

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/dominance.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/little_endian.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/quantile.hpp"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::shelf_test {
namespace {

using testing::ElementsAre;

TEST(Dominance, IsWeakPlainOrStrict) {
    const double infinity = std::numeric_limits<double>::infinity();
    struct {
        Point a, b;
        bool weakly, plainly, strictly;
    } const cases[] = {{{1, 1}, {1, 1}, true, false, false},
                       {{1, 1}, {1, 2}, true, true, false},
                       {{1, 1}, {2, 2}, true, true, true},
                       {{1, 2}, {2, 1}, false, false, false},
                       {{2, 2}, {1, 2}, false, false, false},
                       {{1, 1}, {infinity, infinity}, true, true, true},
                       {{infinity}, {infinity}, true, false, false}};
    for (const auto& each : cases) {
        EXPECT_EQ(weakly_dominates(each.a, each.b), each.weakly);
        EXPECT_EQ(dominates(each.a, each.b), each.plainly);
        EXPECT_EQ(strictly_dominates(each.a, each.b), each.strictly);
    }
}

TEST(Quantile, LiesBetweenTheOrderStatistics) {
    const std::vector<double> sorted{1, 2, 4, 8};
    EXPECT_DOUBLE_EQ(quantile(sorted, 0), 1);
    EXPECT_DOUBLE_EQ(quantile(sorted, 1), 8);
    EXPECT_DOUBLE_EQ(quantile(sorted, 0.5), 3);
    EXPECT_DOUBLE_EQ(quantile(sorted, 0.9), 6.8);  // numpy.quantile
    EXPECT_DOUBLE_EQ(quantile({7}, 0.3), 7);
    EXPECT_DOUBLE_EQ(median({3, 1, 2}), 2);
    EXPECT_DOUBLE_EQ(median({4, 1, 2, 8}), 3);
}

TEST(LittleEndian, ComesBackLowestByteFirst) {
    std::string bytes = "x";
    put_little_endian<std::uint16_t>(bytes, 0x0102);
    put_little_endian<std::uint64_t>(bytes, 0xf1f2f3f4f5f6f7f8);
    EXPECT_EQ(bytes.substr(0, 4), "x\x02\x01\xf8");
    EXPECT_EQ(get_little_endian<std::uint16_t>(bytes, 1), 0x0102);
    EXPECT_EQ(get_little_endian<std::uint64_t>(bytes, 3), 0xf1f2f3f4f5f6f7f8);
}

TEST(LockFile, IsHeldOnceAndFreeWhenItsOwnerIsGone) {
    const test::TemporaryFolder folder;
    {
        const Descriptor first = lock_file(folder.path("lock"));
        EXPECT_GE(first.get(), 0);
        EXPECT_LT(lock_file(folder.path("lock")).get(), 0);
    }
    EXPECT_GE(lock_file(folder.path("lock")).get(), 0);
    EXPECT_THROW((void)lock_file(folder.path("nowhere/lock")), IoError);
}

TEST(Machine, CpuListsReadAndWriteAsTheKernelDoes) {
    EXPECT_THAT(parse_cpu_list("0-3,8,10-11"), ElementsAre(0, 1, 2, 3, 8, 10, 11));
    EXPECT_THAT(parse_cpu_list(""), ElementsAre());
    for (const char* text : {"a", "1-", "-1", "0;1", "99999"})
        EXPECT_THROW((void)parse_cpu_list(text), ConfigError) << text;
    EXPECT_EQ(format_cpu_list({0, 1, 2, 3, 8, 10, 11}), "0-3,8,10-11");
    EXPECT_EQ(format_cpu_list({}), "");
}

TEST(Machine, ThisProcessMayBePinnedToItsCpus) {
    const std::vector<int> cpus = allowed_cpus();
    ASSERT_FALSE(cpus.empty());
    EXPECT_TRUE(pin_to_cpus({cpus.back()}));
    EXPECT_THAT(allowed_cpus(), ElementsAre(cpus.back()));
    EXPECT_TRUE(pin_to_cpus(cpus));
    EXPECT_EQ(allowed_cpus(), cpus);
    EXPECT_FALSE(host_name().empty());
}

TEST(WriteAll, SaysWhenItFails) {
    Pipe pipe = make_pipe();
    EXPECT_TRUE(write_all(pipe.write.get(), "text"));
    char buffer[8];
    EXPECT_EQ(::read(pipe.read.get(), buffer, sizeof buffer), 4);
    pipe.write.close();
    EXPECT_FALSE(write_all(pipe.write.get(), "text"));
}

}  // namespace
}  // namespace edgeloop::shelf_test
