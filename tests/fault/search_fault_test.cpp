// The real search under mpirun, killed, stalled, stopped and out of disk space.
#include "store/journal.hpp"
#include "support/eventually.hpp"
#include "support/programs.hpp"
#include "support/small_search.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/random_stream.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

namespace fs = std::filesystem;

int number_from(const char* variable, int otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::atoi(text);
}

Words search(const std::string& run_dir, const Words& more = {}) {
    const bool goes_on = fs::exists(run_dir + "/journal.jsonl");
    return small_search(run_dir, with_defaults({{"--population", "10"}}, more)) +
           (goes_on ? Words{"--resume"} : Words{});
}

std::string journal_of(const std::string& run_dir) { return run_dir + "/journal.jsonl"; }

/// Candidates the journal has ended so far.
std::size_t ended(const std::string& run_dir) {
    std::ifstream file(journal_of(run_dir));
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);)
        count += line.find("\"settled\":") != std::string::npos ? 1 : 0;
    return count;
}

bool is_alive(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    return std::getline(stat, text) &&
           text.substr(text.rfind(')')).find(" Z ") == std::string::npos;
}

pid_t parent_of(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    if (!std::getline(stat, text)) return 0;
    char state = 0;
    pid_t parent = 0;
    std::istringstream(text.substr(text.rfind(')') + 1)) >> state >> parent;
    return parent;
}

bool descends_from(pid_t pid, pid_t ancestor) {
    while (pid > 1 && pid != ancestor) pid = parent_of(pid);
    return pid == ancestor;
}

/// The number that Open MPI gave a process, or -1.
int rank_of(const std::string& proc_folder) {
    std::ifstream file(proc_folder + "/environ");
    for (std::string variable; std::getline(file, variable, '\0');)
        if (variable.rfind("OMPI_COMM_WORLD_RANK=", 0) == 0)
            return std::stoi(variable.substr(variable.find('=') + 1));
    return -1;
}

/// Processes of a job by rank; empty while it starts.
std::map<int, pid_t> ranks_of(pid_t mpirun) {
    std::map<int, pid_t> ranks;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const pid_t pid = std::atoi(entry.path().filename().c_str());
        if (pid <= 1 || !descends_from(pid, mpirun)) continue;
        const int rank = rank_of(entry.path().string());
        if (rank >= 0) ranks[rank] = pid;
    }
    return ranks;
}

struct Job {
    Job(const Words& words, const std::string& log)
        : log_file(log), process([&] {
              ChildOptions options;
              options.arguments = mpirun(3, words);
              options.output_file = log;
              return ChildProcess(options);
          }()) {}

    std::string log_file;
    ChildProcess process;
};

enum class Victim { worker, coordinator, tree };

/// Kills, then waits until nothing of the job is left: the next start needs the run's lock.
void kill_job(Job& job, Victim victim, RandomStream& random) {
    const std::map<int, pid_t> ranks = ranks_of(job.process.pid());
    const int rank = victim == Victim::coordinator ? 0 : 1 + int(random.below(2));
    if (victim == Victim::tree || ranks.count(rank) == 0) {
        ::kill(job.process.pid(), SIGKILL);
        for (const auto& each : ranks) ::kill(each.second, SIGKILL);
    } else {
        ::kill(ranks.at(rank), SIGKILL);
    }
    ASSERT_TRUE(job.process.wait_for(60)) << read_file(job.log_file);
    for (const auto& each : ranks)
        ASSERT_TRUE(eventually([&] { return !is_alive(each.second); }, 30)) << each.first;
}

/// What a journal says came of each candidate; costs left out.
std::map<CandidateId, std::string> results_in(const std::string& run_dir) {
    std::map<CandidateId, std::string> results;
    for (const Event& event : read_journal(journal_of(run_dir)).events)
        if (const Told* told = std::get_if<Told>(&event)) {
            std::string text = to_string(told->completed.status);
            for (const auto& [name, value] : told->completed.metrics)
                text += " " + name + "=" + std::to_string(value);
            EXPECT_TRUE(results.emplace(told->completed.candidate.id, text).second);
        }
    return results;
}

/// Trainings begun without an end; fails if one was begun whose result was there already.
std::size_t repeated_trainings(const std::string& run_dir) {
    std::map<CandidateId, int> begun, done;
    for (const Event& event : read_journal(journal_of(run_dir)).events) {
        if (const auto* started = std::get_if<TrainingStarted>(&event)) {
            EXPECT_EQ(done[started->id], 0) << "candidate " << started->id << " was trained twice";
            ++begun[started->id];
        }
        const auto* part = std::get_if<PartDone>(&event);
        if (part != nullptr && part->part == Part::training) ++done[part->outcome.id];
    }
    std::size_t repeated = 0;
    for (const auto& [id, count] : begun) {
        EXPECT_EQ(done[id], 1) << id;
        repeated += std::size_t(count - 1);
    }
    return repeated;
}

// Kills at random moments: each waits for a random share of the run to be done, then for a random
// time, so that starts, trainings and ends are all hit. 40 kills: EDGELOOP_FAULT_KILLS=40.
TEST(SearchFault, KilledAtRandomMomentsItEndsAsIfItHadNotBeen) {
    const int kills = number_from("EDGELOOP_FAULT_KILLS", 5);
    const int seed = number_from("EDGELOOP_FAULT_SEED", 1);
    RandomStream random(std::uint64_t(seed), "kills");
    const TemporaryFolder folder;
    // A candidate that the process died with thrice is given up; here it is not its fault.
    const Words size{"--evaluations", "60", "--epochs", "20", "--max-attempts", "1000"};
    const auto whole = run(mpirun(3, search(folder.path("whole"), size)), 600);
    ASSERT_EQ(whole.code, 0) << whole.output;

    std::vector<std::size_t> moments;
    for (int i = 0; i < kills; ++i) moments.push_back(random.below(58));
    std::sort(moments.begin(), moments.end());
    const std::string dir = folder.path("killed");
    std::map<Victim, int> victims;
    for (const std::size_t moment : moments) {
        Job job(search(dir, size), folder.path("log"));
        ASSERT_TRUE(eventually([&] { return ended(dir) >= moment || job.process.poll(); }));
        std::this_thread::sleep_for(std::chrono::milliseconds(random.below(1500)));
        const auto victim = Victim(random.below(3));
        ++victims[victim];
        ASSERT_NO_FATAL_FAILURE(kill_job(job, victim, random));
    }
    const auto last = run(mpirun(3, search(dir, size)), 600);
    ASSERT_EQ(last.code, 0) << last.output;

    EXPECT_EQ(results_in(dir), results_in(folder.path("whole")));
    EXPECT_EQ(results_in(dir).size(), 60u);
    EXPECT_EQ(read_file(dir + "/pareto.csv"), read_file(folder.path("whole") + "/pareto.csv"));
    const std::size_t repeated = repeated_trainings(dir);
    EXPECT_LE(repeated, std::size_t(2 * kills));
    std::printf("%d kills (%d of a worker, %d of rank 0, %d of the tree): %zu trainings repeated\n",
                kills, victims[Victim::worker], victims[Victim::coordinator], victims[Victim::tree],
                repeated);
}

TEST(SearchFault, AStalledRankTimesOutItsCandidateAndTheSearchGoesOn) {
    const TemporaryFolder folder;
    const std::string dir = folder.path("run");
    Job job(search(dir, {"--evaluations", "20", "--epochs", "20", "--silence-limit", "3"}),
            folder.path("log"));
    ASSERT_TRUE(eventually([&] { return ended(dir) >= 3; })) << read_file(job.log_file);
    ::kill(ranks_of(job.process.pid()).at(2), SIGSTOP);
    const auto exit = job.process.wait_for(120);
    ASSERT_TRUE(exit) << read_file(job.log_file);
    EXPECT_EQ(exit->code, 0) << read_file(job.log_file);
    std::size_t timed_out = 0, completed = 0;
    for (const Event& event : read_journal(journal_of(dir)).events)
        if (const Told* told = std::get_if<Told>(&event)) {
            completed += told->completed.status == Status::completed ? 1 : 0;
            if (told->completed.status != Status::timed_out) continue;
            ++timed_out;
            EXPECT_THAT(told->completed.reason, testing::HasSubstr("rank 2"));
        }
    EXPECT_EQ(timed_out, 1u);
    EXPECT_EQ(completed, 19u);
}

TEST(SearchFault, AStopSavesTrainingsInMidEpochAndTheyGoOn) {
    const TemporaryFolder folder;
    // Long enough that the signal finds both workers in the middle of a training.
    const Words size{"--evaluations", "4", "--epochs", "150", "--stop-signal", "USR2"};
    const auto whole = run(mpirun(3, search(folder.path("whole"), size)), 300);
    ASSERT_EQ(whole.code, 0) << whole.output;
    const std::string dir = folder.path("stopped");
    Job job(search(dir, size), folder.path("log"));
    const auto is_training = [&] {
        return fs::exists(journal_of(dir)) &&
               read_file(journal_of(dir)).find("\"started\"") != std::string::npos;
    };
    ASSERT_TRUE(eventually(is_training)) << read_file(job.log_file);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    ::kill(job.process.pid(), SIGUSR2);
    const auto exit = job.process.wait_for(60);
    ASSERT_TRUE(exit) << read_file(job.log_file);
    EXPECT_EQ(exit->code, 75) << read_file(job.log_file);
    EXPECT_FALSE(fs::is_empty(dir + "/training"));
    const auto resumed = run(mpirun(3, search(dir, size)), 300);
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_THAT(resumed.output, testing::HasSubstr("goes on from epoch"));
    EXPECT_EQ(results_in(dir), results_in(folder.path("whole")));
    EXPECT_FALSE(fs::exists(dir + "/training"));
}

// With a limit on the size of a file, a write fails as it does on a full disk.
TEST(SearchFault, AFullDiskStopsTheRunAndLosesNothing) {
    const TemporaryFolder folder;
    const auto arguments = [&](const std::string& name) {
        Words words{program("edgeloop-search"),
                    "--engine",
                    "generational",
                    "--problem",
                    "zdt1",
                    "--population",
                    "20",
                    "--evaluations",
                    "2000",
                    "--run-dir",
                    folder.path(name),
                    "--checkpoint-interval",
                    "0.01"};
        if (fs::exists(folder.path(name))) words.emplace_back("--resume");
        return words;
    };
    ASSERT_EQ(run(arguments("whole")).code, 0);
    Words limited{"/bin/bash", "-c", "trap '' XFSZ; ulimit -f 200; exec \"$@\"", "bash"};
    for (const std::string& word : arguments("full")) limited.push_back(word);
    const auto stopped = run(limited);
    EXPECT_EQ(stopped.code, 3) << stopped.output;
    EXPECT_THAT(stopped.output, testing::HasSubstr("cannot write"));
    EXPECT_GT(ended(folder.path("full")), 100u);
    const auto resumed = run(arguments("full"));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_EQ(read_file(folder.path("full") + "/pareto.csv"),
              read_file(folder.path("whole") + "/pareto.csv"));

    write_file_atomic(folder.path("file"), "");
    const auto unwritable = run({program("edgeloop-search"), "--problem", "zdt1", "--run-dir",
                                 folder.path("file") + "/run"});
    EXPECT_EQ(unwritable.code, 3) << unwritable.output;
}

}  // namespace
}  // namespace edgeloop::test
