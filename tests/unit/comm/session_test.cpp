#include "edgeloop/comm/session.hpp"

#include "edgeloop/core/error.hpp"

#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::session_test {
namespace {

/// Sets an environment variable for the length of a test.
class Environment {
  public:
    Environment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
    ~Environment() { ::unsetenv(name_); }

  private:
    const char* name_;
};

TEST(Session, WithoutALauncherThisProcessIsAloneAndRankZero) {
    EXPECT_FALSE(launched_by_mpi());
    EXPECT_EQ(launcher_rank(), 0);
    int argc = 0;
    char** argv = nullptr;
    const MpiSession session(argc, argv);
    EXPECT_EQ(session.world().size(), 1);
    EXPECT_EQ(session.world().rank(), 0);
    MpiSession::abort(3);
}

TEST(Session, ReadsTheRankOfEachLauncherBeforeMpiStarts) {
    for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
        const Environment rank(name, "3");
        EXPECT_TRUE(launched_by_mpi()) << name;
        EXPECT_EQ(launcher_rank(), 3) << name;
    }
}

TEST(Session, LeaveToShareCoresGivenToMpirunIsSeenWithEveryVersion) {
    const Environment world("OMPI_COMM_WORLD_SIZE", "3");
    {
        const Environment slots("OMPI_UNIVERSE_SIZE", "3");
        EXPECT_FALSE(launcher_may_share_cores());
        const std::vector<std::array<const char*, 3>> cases = {
            {"OMPI_MCA_rmaps_base_oversubscribe", "1", "yes"},     // 4: --oversubscribe
            {"OMPI_MCA_rmaps_base_oversubscribe", "true", "yes"},  // 4: from the environment
            {"OMPI_MCA_rmaps_base_oversubscribe", "0", "no"},
            {"OMPI_MCA_rmaps_base_mapping_policy", ":OVERSUBSCRIBE", "yes"},  // 4: --map-by
            {"OMPI_MCA_rmaps_base_mapping_policy", "slot:PE=2:oversubscribe", "yes"},
            {"OMPI_MCA_rmaps_base_mapping_policy", "slot:nooversubscribe", "no"},
            {"PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe", "yes"},  // 5
            {"PRTE_MCA_rmaps_default_mapping_policy", "numa:NOOVERSUBSCRIBE", "no"}};
        for (const auto& [name, value, expected] : cases) {
            const Environment policy(name, value);
            EXPECT_EQ(launcher_may_share_cores(), std::string(expected) == "yes")
                << name << '=' << value;
        }
    }
    const Environment slots("OMPI_UNIVERSE_SIZE", "2");  // 5: mpirun refuses this unless told
    EXPECT_TRUE(launcher_may_share_cores());
}

TEST(Session, ARankSeesTheCudaDeviceOfItsPlaceOnTheNode) {
    const Environment rank("OMPI_COMM_WORLD_RANK", "5");
    const Environment local("OMPI_COMM_WORLD_LOCAL_RANK", "5");
    for (const auto& [visible, own] : std::map<std::string, std::string>{
             {"0,1,2,3", "1"}, {"3,1,7", "7"}, {"GPU-8932f937", "GPU-8932f937"}}) {
        const Environment devices("CUDA_VISIBLE_DEVICES", visible.c_str());
        claim_cuda_device();
        EXPECT_EQ(std::getenv("CUDA_VISIBLE_DEVICES"), own);
    }
}

TEST(Session, ABatchJobWithoutALauncherIsNotMpi) {
    const Environment batch("SLURM_PROCID", "0");
    const Environment local("SLURM_LOCALID", "2");
    EXPECT_FALSE(launched_by_mpi());
    EXPECT_EQ(launcher_local_rank(), 0);
}

TEST(Session, AloneEveryCollectiveIsTheIdentity) {
    const Communicator alone;
    std::string text = "same";
    alone.broadcast(text, 0);
    EXPECT_EQ(text, "same");
    EXPECT_EQ(alone.all_reduce(2.5, Reduction::sum), 2.5);
    EXPECT_EQ(alone.all_gather("a"), std::vector<std::string>{"a"});
    float value = 4;
    PendingSum sum = alone.start_sum(&value, 1);
    EXPECT_TRUE(sum.done());
    EXPECT_FALSE(alone.split(-1).has_value());
    EXPECT_EQ(alone.split(7)->size(), 1);
    EXPECT_THROW(alone.send(0, 1, "x"), LogicError);
    EXPECT_THROW(alone.agree("phase", [] { throw IoError("full"); }), IoError);
}

}  // namespace
}  // namespace edgeloop::session_test
