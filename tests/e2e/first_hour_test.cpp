// What a newcomer meets: mistakes, stops, and what the programs say.
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/json.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace edgeloop::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

// A search over real networks on the small dataset.
Words search(const std::string& run_dir, const std::string& edge, const Words& more = {}) {
    Words words{program("edgeloop-search"),
                "--data",
                e2e_data("shards"),
                "--confirm",
                "0",
                "--space",
                test_data("tiny_space.json"),
                "--run-dir",
                run_dir,
                "--population",
                "4",
                "--evaluations",
                "8",
                "--edge",
                edge,
                "--measure-seconds",
                "0.3"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

Words with_environment(const std::string& setting, const Words& words) {
    Words all{"/usr/bin/env", setting};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

std::size_t errors_in(const std::string& output) {
    std::istringstream lines(output);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);)
        count += line.find(" error ") != std::string::npos ? 1 : 0;
    return count;
}

// A port that somebody else listens at.
class TakenPort {
  public:
    TakenPort() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const plain = reinterpret_cast<sockaddr*>(&address);
        if (::bind(socket_, plain, size) != 0 || ::listen(socket_, 1) != 0 ||
            ::getsockname(socket_, plain, &size) != 0)
            throw std::runtime_error("no port");
        endpoint_ = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    }
    ~TakenPort() { ::close(socket_); }
    TakenPort(const TakenPort&) = delete;
    TakenPort& operator=(const TakenPort&) = delete;

    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

  private:
    int socket_;
    std::string endpoint_;
};

// Each left a run directory that "holds a run already".
TEST(FirstHour, AMistakeLeavesNoRunDirectory) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const TakenPort taken;
    const std::string none = folder.path("none");
    const std::vector<std::pair<std::string, Words>> mistakes{
        {"port in use", search(dir, "bind:" + taken.endpoint())},
        {"missing key",
         search(dir, "bind:tcp://127.0.0.1:*", {"--edge-keys", none, "--edge-allow", none})},
        {"missing server key",
         search(dir, "tcp://127.0.0.1:9", {"--edge-keys", none, "--edge-server-key", none})},
    };
    for (const auto& [name, words] : mistakes)
        for (const bool parallel : {false, true}) {
            const auto result = run(parallel ? mpirun(2, words) : words);
            EXPECT_THAT(result.code, ::testing::AnyOf(2, 3)) << name << "\n" << result.output;
            EXPECT_EQ(errors_in(result.output), 1u) << name << "\n" << result.output;
            EXPECT_FALSE(std::filesystem::exists(dir)) << name;
        }
    EXPECT_EQ(run(search(dir, "model")).code, 0);
}

TEST(FirstHour, LongNamesWork) {
    const TemporaryFolder folder;
    const std::string deep = folder.path(std::string(120, 'd'));
    make_directories(deep + "/tmp");
    const std::string dir = deep + "/" + std::string(200, 'r');
    const auto result = run(with_environment("TMPDIR=" + deep + "/tmp", search(dir, "local")));
    EXPECT_EQ(result.code, 0) << result.output;
    EXPECT_EQ(column(read_table(dir + "/evaluations.csv"), "status"), Words(8, "completed"));
}

TEST(FirstHour, ASearchEndsWithWhatToDoNext) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto first = run(search(dir, "model", {"--save-weights"}));
    ASSERT_EQ(first.code, 0) << first.output;
    EXPECT_THAT(first.output, HasSubstr(" than without a network ("));
    EXPECT_THAT(first.output, HasSubstr("8 designs in 0:"));
    EXPECT_THAT(first.output, HasSubstr("edgeloop-model train --from " + dir + " --select knee"));
    EXPECT_THAT(first.output, HasSubstr("edgeloop-model deploy --model " + dir + "/trained"));
    const auto again = run(search(dir, "model", {"--save-weights", "--resume"}));
    ASSERT_EQ(again.code, 0) << again.output;
    EXPECT_THAT(again.output, HasSubstr("0 designs in 0:00 (8 were done in earlier starts)"));
    const auto front = read_table(dir + "/pareto.csv");
    EXPECT_EQ(Words(front[0].begin(), front[0].begin() + 3),
              (Words{"id", "val_rmse", "latency_ms"}));
    const auto place = [&](const std::string& name) {
        return std::find(front[0].begin(), front[0].end(), name) - front[0].begin();
    };
    EXPECT_LT(place("family"), place("train_loss")) << "genes before other metrics";
}

TEST(FirstHour, AnUnknownObjectiveIsAnsweredWithOneList) {
    const auto result = run({program("edgeloop-search"), "--problem", "zdt1", "--run-dir", "/x",
                             "--objectives", "quite_another_thing", "f2"});
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.output, HasSubstr("this run delivers f1, f2"));
    EXPECT_THAT(result.output, Not(HasSubstr("known: "))) << result.output;
}

// The ranks leave MPI in order: no abort is reported.
TEST(FirstHour, AStopUnderMpirunIsNoAbort) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    const auto stopped = run(mpirun(2, search(dir, "model", {"--time-limit", "0.05"})));
    EXPECT_EQ(stopped.code, 75) << stopped.output;
    EXPECT_THAT(stopped.output, Not(HasSubstr("MPI_ABORT")));
    EXPECT_THAT(stopped.output, HasSubstr("run the same command with --resume"));
}

// As a terminal does it: the signal goes to the script and everything it started.
TEST(FirstHour, CtrlCInTheLaunchScriptStopsWithACheckpointAndCode75) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    Words words = search(dir, "model");
    *(std::find(words.begin(), words.end(), "--evaluations") + 1) = "400";
    words.erase(words.begin());
    words.erase(std::find(words.begin(), words.end(), "--run-dir"),
                std::find(words.begin(), words.end(), "--run-dir") + 2);
    Words script{in_source("mpi_launch/run_local.sh"), "3", dir};
    script.insert(script.end(), words.begin(), words.end());
    ChildOptions options;
    options.arguments = with_environment("EDGELOOP_BUILD=" + in_build(""), script);
    options.output_file = folder.path("log");
    ChildProcess job(options);
    ASSERT_TRUE(wait_for_lines(dir + "/journal.jsonl", 12)) << read_file(options.output_file);
    ::kill(-job.pid(), SIGINT);
    const auto exit = job.wait_for(60);
    const std::string log = read_file(options.output_file);
    ASSERT_TRUE(exit) << log;
    EXPECT_EQ(exit->code, 75) << log;
    EXPECT_EQ(exit->signal, 0);
    EXPECT_THAT(log, Not(HasSubstr("ABORT"))) << log;
    EXPECT_THAT(log, Not(HasSubstr("mpirun detected"))) << log;
    EXPECT_EQ(read_json_file(dir + "/status.json").at("phase"), "stopped");
}

TEST(FirstHour, TheLaunchScriptSaysThatNothingIsBuilt) {
    const TemporaryFolder folder;
    const auto result =
        run(with_environment("EDGELOOP_BUILD=" + folder.path("none"),
                             {in_source("mpi_launch/run_local.sh"), "2", folder.path("run")}));
    EXPECT_EQ(result.code, 3) << result.output;
    EXPECT_THAT(result.output, HasSubstr("mpi_launch/build.sh"));
    EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 1) << result.output;
}

}  // namespace
}  // namespace edgeloop::test
