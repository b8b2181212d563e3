#include "training/memory_budget.hpp"

#include "support/temporary_folder.hpp"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace edgeloop::memory_budget_test {
namespace {

TEST(MemoryBudget, IsSharedByTheRanksOfAMachine) {
    EXPECT_GT(memory_share_bytes(1), 0);
    EXPECT_DOUBLE_EQ(memory_share_bytes(4), memory_share_bytes(1) / 4);
}

class ControlGroup : public testing::Test {
  protected:
    void put(const std::string& path, const std::string& text) const {
        const std::filesystem::path file = machine_.root() + path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    [[nodiscard]] double bytes() const { return control_group_bytes(machine_.root()); }

  private:
    test::TemporaryFolder machine_;
};

TEST_F(ControlGroup, OfTheJobCountsAndTheSmallestAboveIt) {
    put("/proc/self/cgroup", "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_2\n");
    put("/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/user/task_2/memory.max",
        "max\n");
    put("/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/memory.max", "3000\n");
    put("/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.max", "2000\n");
    EXPECT_EQ(bytes(), 2000);
    put("/sys/fs/cgroup/memory.max", "1500\n");  // a container's
    EXPECT_EQ(bytes(), 1500);
}

TEST_F(ControlGroup, OfVersionOneIsThatOfTheMemoryController) {
    put("/proc/self/cgroup", "9:cpu,cpuacct:/other\n4:memory:/slurm/uid_0/job_7/step_0\n0::/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/slurm/uid_0/job_7/memory.limit_in_bytes", "4000\n");
    put("/sys/fs/cgroup/memory/other/memory.limit_in_bytes", "1\n");
    EXPECT_EQ(bytes(), 4000);
}

TEST_F(ControlGroup, WithoutALimitIsInfinite) {
    EXPECT_TRUE(std::isinf(bytes()));
    put("/proc/self/cgroup", "0::/\n");
    EXPECT_TRUE(std::isinf(bytes()));
}

TEST(MemoryBudget, IsWhatSlurmGranted) {
    EXPECT_TRUE(std::isinf(batch_job_bytes()));
    ::setenv("SLURM_MEM_PER_NODE", "8", 1);
    EXPECT_EQ(batch_job_bytes(), 8 * 1024 * 1024);
    EXPECT_DOUBLE_EQ(memory_share_bytes(2), 0.9 * 4 * 1024 * 1024);
    ::setenv("SLURM_MEM_PER_NODE", "0", 1);  // the whole node
    EXPECT_TRUE(std::isinf(batch_job_bytes()));
    ::unsetenv("SLURM_MEM_PER_NODE");
    ::setenv("SLURM_MEM_PER_CPU", "2", 1);
    ::setenv("SLURM_CPUS_ON_NODE", "6", 1);
    EXPECT_EQ(batch_job_bytes(), 12 * 1024 * 1024);
    ::unsetenv("SLURM_MEM_PER_CPU");
    ::unsetenv("SLURM_CPUS_ON_NODE");
}

}  // namespace
}  // namespace edgeloop::memory_budget_test
