// Networks that attack the device that measures them, through the real agent: each is contained and
// answered with a reason, nothing of it is left, the agent lives and the next job is measured.
#include "support/hostile_network.hpp"
#include "support/numbered_design.hpp"
#include "support/places.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;
using test::hostile_networks;

constexpr std::uint64_t honest = 1000;  ///< from this number on, networks are

std::map<std::string, std::string> status_of(const fs::path& process) {
    std::map<std::string, std::string> fields;
    std::ifstream file(process / "status");
    for (std::string line; std::getline(file, line);)
        if (const auto colon = line.find(":\t"); colon != std::string::npos)
            fields[line.substr(0, colon)] = line.substr(colon + 2);
    return fields;
}

/// Processes below this one, and theirs.
std::vector<pid_t> descendants(pid_t of) {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string number = entry.path().filename();
        if (number.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto fields = status_of(entry.path());
        const auto parent = fields.find("PPid");
        if (parent == fields.end() || parent->second != std::to_string(of)) continue;
        found.push_back(std::stoi(number));
        for (const pid_t below : descendants(found.back())) found.push_back(below);
    }
    return found;
}

/// Whether a process of this number is one of ours and runs: whether a dead one is reaped is up to
/// this system.
bool runs(pid_t process) {
    const auto fields = status_of("/proc/" + std::to_string(process));
    const auto name = fields.find("Name");
    return name != fields.end() && name->second == "hostile_agent" &&
           fields.at("State").front() != 'Z';
}

/// A program in a folder that every user may look into.
class Place {
  public:
    Place() {
        fs::permissions(folder_.root(), fs::perms(0755));
        fs::copy_file(test::test_program("hostile_agent"), program());
        std::ofstream(folder_.path("secret")) << "secret";
        fs::create_directory(folder_.path("open"));
        fs::permissions(folder_.path("open"), fs::perms(0777));
    }
    [[nodiscard]] std::string program() const { return folder_.path("hostile_agent"); }
    [[nodiscard]] bool is_untouched() const {
        return fs::exists(folder_.path("secret")) && fs::is_empty(folder_.path("open"));
    }

  private:
    test::TemporaryFolder folder_;
};

class HostileJobs : public testing::TestWithParam<int> {
  protected:
    void SetUp() override {
        if (GetParam() != 0 && ::geteuid() != 0)
            GTEST_SKIP() << "only root can start an agent of another user";
        RemoteProbeOptions options;
        options.edge = {EdgeOption::Mode::bind, "tcp://127.0.0.1:*"};
        options.settings.time_budget_s = 0.05;
        options.settings.time_limit_s = 5;
        options.settings.memory_limit_mib = 256;
        probe_.emplace(options);
        ChildOptions agent;
        // Where stacks have no limit of the system's.
        rlimit stack{};
        ASSERT_EQ(::getrlimit(RLIMIT_STACK, &stack), 0);
        stack.rlim_cur = stack.rlim_max;
        ASSERT_EQ(::setrlimit(RLIMIT_STACK, &stack), 0);
        agent.arguments = {place_.program(), probe_->endpoint(),
                           "hostile-" + std::to_string(::getpid()), std::to_string(GetParam())};
        agent_.emplace(agent);
    }

    [[nodiscard]] Outcome measured(std::uint64_t number) {
        probe_->submit(test::numbered_candidate(++id_, number));
        const double deadline = steady_seconds() + 60;
        BackOff back_off;
        while (steady_seconds() < deadline) {
            for (Outcome& outcome : probe_->poll())
                if (outcome.id == id_) return outcome;
            back_off.wait();
        }
        Outcome none;
        none.status = Status::lost;
        none.reason = "no answer";
        return none;
    }

    Place place_;
    std::optional<RemoteProbe> probe_;
    std::optional<ChildProcess> agent_;
    CandidateId id_ = 0;
};

TEST_P(HostileJobs, AreContainedAndTheNextJobIsMeasured) {
    ASSERT_EQ(measured(honest).status, Status::completed);
    ASSERT_EQ(probe_->devices().size(), 1u);
    const Json sandbox = Json::parse(probe_->devices()[0]).at("sandbox");
    if (!sandbox.at("strong").get<bool>()) GTEST_SKIP() << "this kernel cannot: " << sandbox;
    for (std::size_t i = 0; i < hostile_networks().size(); ++i) {
        const test::HostileNetwork& hostile = hostile_networks()[i];
        SCOPED_TRACE(hostile.name);
        const Outcome outcome = measured(i + 1);
        EXPECT_EQ(outcome.status, Status::failed);
        EXPECT_THAT(outcome.reason, testing::HasSubstr(hostile.reason));
        EXPECT_THAT(outcome.reason, testing::Not(testing::HasSubstr("ESCAPED")));
        EXPECT_FALSE(agent_->poll().has_value()) << "the agent has ended";
        // The measuring process, and nothing of the job.
        EXPECT_EQ(descendants(agent_->pid()).size(), 1u)
            << testing::PrintToString(descendants(agent_->pid()));
        EXPECT_TRUE(place_.is_untouched());
        const Outcome next = measured(honest + 1 + i);
        EXPECT_EQ(next.status, Status::completed) << next.reason;
        EXPECT_GE(next.metrics.at("latency_min_ms"), 0.95);  // a run lasts a millisecond
        ASSERT_FALSE(HasFatalFailure());
    }
}

TEST_P(HostileJobs, NothingOutlivesTheAgent) {
    ASSERT_EQ(measured(honest).status, Status::completed);
    for (std::size_t i = 0; i < hostile_networks().size(); ++i)
        if (hostile_networks()[i].name == "never returns")
            probe_->submit(test::numbered_candidate(++id_, i + 1));
    BackOff back_off;
    const double deadline = steady_seconds() + 30;
    while (descendants(agent_->pid()).size() < 2 && steady_seconds() < deadline) back_off.wait();
    const std::vector<pid_t> all = descendants(agent_->pid());
    ASSERT_GE(all.size(), 2u) << "the job has not begun";
    ::kill(agent_->pid(), SIGKILL);
    ASSERT_TRUE(agent_->wait_for(10));
    const auto gone = [&] { return std::none_of(all.begin(), all.end(), runs); };
    while (!gone() && steady_seconds() < deadline) back_off.wait();
    EXPECT_TRUE(gone());
}

INSTANTIATE_TEST_SUITE_P(Users, HostileJobs, testing::Values(0, 65534), [](const auto& user) {
    return user.param == 0 ? "AsWhoRunsThis" : "AsNobody";
});

}  // namespace
}  // namespace edgeloop
