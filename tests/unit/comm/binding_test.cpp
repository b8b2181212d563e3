#include "edgeloop/comm/binding.hpp"

#include "edgeloop/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::binding_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Binding, OfThisProcessNamesItsHostAndCpus) {
    const RankBinding own = this_binding();
    EXPECT_FALSE(own.host.empty());
    EXPECT_FALSE(own.cpus.empty());
    EXPECT_EQ(gather_bindings(Communicator()).at(0).cpus, own.cpus);
}

TEST(Binding, ReportHasALineForEachRank) {
    const std::vector<RankBinding> bindings{{"a", {0, 1}, 0}, {"b", {4}, 1}};
    EXPECT_THAT(binding_report(bindings, 1), ElementsAre("rank 0: a, NUMA 0, 1 thread on CPUs 0-1",
                                                         "rank 1: b, NUMA 1, 1 thread on CPUs 4"));
}

TEST(Binding, RanksThatFitAreFineAndTheCoordinatorIsFree) {
    const std::vector<RankBinding> shared(3, RankBinding{"a", {0, 1}, 0});
    EXPECT_NO_THROW(check_oversubscription(shared, 1, 1));
    EXPECT_THROW(check_oversubscription(shared, 1, 0), ConfigError);
    EXPECT_THROW(check_oversubscription(shared, 2, 1), ConfigError);
    const std::vector<RankBinding> two_nodes{{"a", {0, 1}, 0}, {"a", {0, 1}, 0}, {"b", {0, 1}, 0}};
    EXPECT_NO_THROW(check_oversubscription(two_nodes, 1, 0));
}

TEST(Binding, TheRefusalSaysHowManyRanksFit) {
    const std::vector<RankBinding> shared(5, RankBinding{"node7", {0, 1}, 0});
    try {
        check_oversubscription(shared, 1, 1);
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.problem(), HasSubstr("node7"));
        EXPECT_THAT(error.suggestion(), HasSubstr("2 fewer ranks"));
    }
}

}  // namespace
}  // namespace edgeloop::binding_test
