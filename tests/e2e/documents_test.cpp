// Runs the commands of the documents that a newcomer follows, as they are written and in their
// order. A command that nobody runs and that is no named exception fails the test.
#include "support/made_up_table.hpp"
#include "support/programs.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    return text;
}

// The commands of the text between the fenced blocks: what stands in ` `, begins like one of these
// and goes on.
std::set<std::string> commands_of_text(const std::string& text) {
    std::set<std::string> found;
    for (auto begin = text.find('`'); begin != std::string::npos;) {
        const auto end = text.find('`', begin + 1);
        const std::string words = replaced(text.substr(begin + 1, end - begin - 1), "\n", " ");
        for (const char* first :
             {"edgeloop-", "serve ", "measure ", "kill ", "chmod ", "systemctl "})
            if (words.rfind(first, 0) == 0 && words.find(' ') != std::string::npos)
                found.insert(words);
        begin = end == std::string::npos ? end : text.find('`', end + 1);
    }
    return found;
}

// The commands in the fenced `sh` blocks of a document; lines that end in \ are joined.
class Document {
  public:
    explicit Document(const std::string& path) : path_(path) {
        std::istringstream lines(read_file(in_source(path)));
        std::string text;
        bool inside = false;
        std::string command;
        for (std::string line; std::getline(lines, line);) {
            if (line.rfind("```", 0) == 0) {
                inside = !inside && line == "```sh";
                continue;
            }
            if (!inside) text += line + '\n';
            if (!inside || line.empty() || line[0] == '#') continue;
            command += line + "\n";
            if (line.back() == '\\') continue;
            left_.push_back(command);
            command.clear();
        }
        in_text_ = commands_of_text(text);
    }

    // A command that only the text has; what it needs besides is the test's to add.
    std::string take_from_text(const std::string& command) {
        EXPECT_EQ(in_text_.erase(command), 1U) << path_ << " does not say '" << command << "'";
        return command;
    }

    // The next command, which begins with these words; whatever is written after them is run too.
    std::string take(const std::string& beginning) {
        if (left_.empty() || left_.front().rfind(beginning, 0) != 0) {
            ADD_FAILURE() << path_ << ": '" << beginning << "' is not the next command but\n"
                          << (left_.empty() ? "nothing" : left_.front());
            return "false";
        }
        std::string command = left_.front();
        left_.erase(left_.begin());
        return command;
    }

    // A command that this test does not run, and why not.
    void skip(const std::string& beginning, const std::string& reason) {
        EXPECT_FALSE(reason.empty());
        (void)take(beginning);
    }

    [[nodiscard]] const Words& left() const { return left_; }
    [[nodiscard]] const std::set<std::string>& left_in_text() const { return in_text_; }

  private:
    std::string path_;
    Words left_;
    std::set<std::string> in_text_;
};

// A place that looks like a clone that was built, and a shell in it.
class Clone {
  public:
    Clone() {
        make_directories(folder_.path("build"));
        fs::create_directory_symlink(in_build(""), folder_.path("build/release"));
        fs::create_directory_symlink(in_build(""), folder_.path("build/edge"));
        fs::create_directory_symlink(in_source("mpi_launch"), folder_.path("mpi_launch"));
    }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_.path(name); }

    // mpirun as root and on few cores wants leave; programs are found by name as after an install.
    [[nodiscard]] Words shell(const std::string& command) const {
        return {"/usr/bin/env",
                "OMPI_ALLOW_RUN_AS_ROOT=1",
                "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
                "OMPI_MCA_rmaps_base_oversubscribe=1",
                "EDGELOOP_OVERSUBSCRIBE=allow",
                "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe",
                "/bin/bash",
                "-c",
                "cd '" + folder_.root() + "' && export PATH='" + in_build("bin") +
                    "':\"$PATH\" && " + command};
    }

    void runs(const std::string& command, double limit_seconds = 200) const {
        const auto result = run(shell(command), limit_seconds);
        EXPECT_EQ(result.code, 0) << command << result.output;
    }

    [[nodiscard]] std::unique_ptr<ChildProcess> starts(const std::string& command,
                                                       const std::string& log) const {
        ChildOptions options;
        options.arguments = shell(command);
        options.output_file = path(log);
        return std::make_unique<ChildProcess>(options);
    }

  private:
    TemporaryFolder folder_;
};

// Substitutions: recordings are synthetic, the space and the numbers of designs are small, CLUSTER
// is this machine, the ports are free ones.
TEST(Documents, EveryCommandOfTheReadmeWorksAsWritten) {
    Document readme("README.md");
    const Clone clone;
    const std::string port = std::to_string(free_port());
    const auto smaller = [&](std::string command) {
        command = replaced(command, "--space hpc2edge", "--space " + test_data("tiny_space.json"));
        command = replaced(command, "--population 20", "--population 4");
        command = replaced(command, "--evaluations 200", "--evaluations 8");
        return replaced(replaced(command, ":5701", ":" + port), "CLUSTER", "127.0.0.1");
    };
    readme.skip("mpi_launch/quickstart.sh", "it installs and builds; .ci/run runs it in a clone");
    readme.skip("tests/run_all.sh", "it runs this test");

    // The third object is one of the official split's test part.
    clone.runs("edgeloop-data synth --output raise --objects 3 --layers 3 --lines 10 --seed 3");
    clone.runs(readme.take("build/release/bin/edgeloop-data shard --input 'raise/C0*.hdf5'"));
    clone.runs(readme.take("build/release/bin/edgeloop-bridge keygen search.key"));
    clone.runs(readme.take("mkdir -p allowed"));
    const auto search = clone.starts(smaller(readme.take("mpi_launch/run_local.sh")), "search.log");

    readme.skip("cmake --preset edge", "it builds what this test's build has already");
    clone.runs(readme.take("build/edge/bin/edgeloop-bridge keygen device.key"));
    clone.runs("cp device.key.pub allowed");  // "copy device.key.pub into the folder allowed"
    const auto agent =
        clone.starts(smaller(readme.take("build/edge/bin/edgeloop-edge serve")), "agent.log");
    const auto exit = search->wait_for(200);
    ASSERT_TRUE(exit) << read_file(clone.path("search.log")) << read_file(clone.path("agent.log"));
    ASSERT_EQ(exit->code, 0) << read_file(clone.path("search.log"));
    EXPECT_THAT(read_file(clone.path("runs/first/provenance.json")), HasSubstr("\"devices\""));

    clone.runs(readme.take("mpirun -n 3 build/release/bin/edgeloop-model train"));
    clone.runs(readme.take("build/release/bin/edgeloop-model evaluate"));
    EXPECT_GT(read_table(clone.path("predictions.csv")).size(), 1U);
    clone.runs(readme.take("build/release/bin/edgeloop-model export"));
    EXPECT_TRUE(fs::exists(clone.path("model.onnx")));
    clone.runs(readme.take("build/release/bin/edgeloop-model deploy"));
    EXPECT_TRUE(fs::exists(clone.path("handover/MODEL_CARD.md")));
    agent->terminate();  // one agent per machine
    ASSERT_TRUE(agent->wait_for(20));
    clone.runs(readme.take("build/edge/bin/edgeloop-edge measure --model"));
    const std::string other = std::to_string(free_port());
    const auto there = [&](const std::string& command) { return replaced(command, "5702", other); };
    const auto bridge =
        clone.starts(there(readme.take("build/release/bin/edgeloop-bridge serve")), "bridge.log");
    const auto board =
        clone.starts(there(readme.take("build/edge/bin/edgeloop-edge serve")), "board.log");
    clone.runs(there(readme.take("build/release/bin/edgeloop-bridge submit")));
    EXPECT_THAT(readme.left(), IsEmpty()) << "commands that nobody runs";
}

// Substitutions: bridge.example.org is this machine, the port is a free one, the store is a folder
// of the test's; the search is small.
TEST(Documents, EveryCommandOfTheOperatorsPageWorksAsWritten) {
    Document page("edge/operating.md");
    const Clone clone;
    fs::create_directory_symlink(e2e_data("shards"), clone.path("shards"));
    const std::string port = std::to_string(free_port());
    const auto here = [&](std::string command) {
        command = replaced(command, "bridge.example.org", "127.0.0.1");
        command = replaced(command, "/var/lib/edgeloop-bridge", "store");
        command = replaced(
            command, "--data shards",
            "--data shards --population 4 --evaluations 4 --space " + test_data("tiny_space.json"));
        return replaced(command, ":5701", ":" + port);
    };
    clone.runs(page.take("edgeloop-bridge keygen bridge.key"));
    clone.runs(page.take("mkdir -p allowed/devices allowed/searches"));
    const auto bridge =
        clone.starts("exec " + here(page.take("edgeloop-bridge serve")), "bridge.log");
    clone.runs(page.take("edgeloop-bridge keygen device.key"));
    clone.runs("cp device.key.pub allowed/devices");
    const auto agent = clone.starts(here(page.take("edgeloop-edge serve")), "agent.log");
    clone.runs(page.take("edgeloop-bridge keygen user.key"));
    clone.runs("cp user.key.pub allowed/searches");
    clone.runs(here(page.take("edgeloop-search --data shards")));
    clone.runs(page.take("edgeloop-bridge keygen operator.key"));
    clone.runs("cp operator.key.pub allowed/operators");
    page.skip("ssh -N -L", "there is no second machine to log in to");
    agent->terminate();  // one agent per machine
    // The other end of the tunnel: a bridge of this machine without keys.
    const std::string other = std::to_string(free_port());
    const auto plain = clone.starts("edgeloop-bridge " + page.take_from_text("serve --share") +
                                        " --store plain --bind tcp://127.0.0.1:" + other,
                                    "plain.log");
    const auto tunnelled = clone.starts(
        replaced(replaced(page.take("edgeloop-edge serve --connect tcp://127.0.0.1:5701"), ":5701",
                          ":" + other),
                 "edgeloop-edge serve",
                 "edgeloop-edge " + page.take_from_text("serve --accept onnx,torchscript")),
        "tunnelled.log");
    clone.runs("until edgeloop-bridge status --json --connect tcp://127.0.0.1:" + other +
               " | grep -q '\"class\"'; do sleep 0.2; done");
    page.skip("edge/package.sh", "it builds; tests/platforms/package.sh runs it");
    page.skip("sudo apt install", "it installs; tests/platforms/package.sh does so in a bare root");
    clone.runs(here(page.take("edgeloop-bridge status")));
    clone.runs(here(page.take("edgeloop-bridge drop")));
    clone.runs(page.take("rm allowed/devices/device.key.pub"));
    EXPECT_THAT(page.left(), IsEmpty()) << "commands that nobody runs";

    clone.runs(page.take_from_text("kill -HUP") + " " + std::to_string(bridge->pid()));
    clone.runs(page.take_from_text("edgeloop-bridge drop --class CLASS") +
               " --connect tcp://127.0.0.1:" + other);
    clone.runs(page.take_from_text("chmod 700") + " plain");
    clone.runs(page.take_from_text("edgeloop-edge info"));
    clone.runs("edgeloop-edge " + page.take_from_text("measure --sandbox off") +
               " --seconds 0.1 --spec " + test_data("specs/cnn3d_tiny.json"));
    (void)page.take_from_text("systemctl enable --now edgeloop-bridge");  // no systemd runs here
    EXPECT_THAT(page.left_in_text(), IsEmpty()) << "commands that nobody runs";
    EXPECT_FALSE(bridge->poll()) << "it goes on";
}

// Substitutions: the space and the numbers are small, and little time is given to the plan.
TEST(Documents, TheCommandsOfTheLaunchPageWorkAsWritten) {
    Document page("mpi_launch/README.md");
    const Clone clone;
    fs::create_directory_symlink(e2e_data("shards"), clone.path("shards"));
    page.skip("sbatch", "tests/slurm/run.sh runs it in a SLURM of its own");
    std::string plan = page.take("mpirun -n 3 edgeloop-search --plan");
    plan = replaced(plan, "--space hpc2edge", "--space " + test_data("tiny_space.json"));
    plan = replaced(plan, "--evaluations 400", "--evaluations 80 --plan-seconds 0.5");
    plan = replaced(plan, "tcp://bridge.example.org:5701", "tcp://127.0.0.1:5701");
    clone.runs(plan);
    page.skip("ssh -N -L", "there is no second machine to log in to");
    page.skip("edgeloop-edge serve", "the operators' page has the same command");
    page.skip("python3 -m pip install torch", "it fetches gigabytes");
    page.skip("cmake --preset release -DCMAKE_PREFIX_PATH", "it needs PyTorch's wheel");
    page.skip("cmake --build --preset release", "it builds what these tests run");
    EXPECT_THAT(page.left(), IsEmpty()) << "commands that nobody runs";
}

// Commands under "next:" of what a search printed.
Words suggested(const std::string& log) {
    Words commands;
    std::istringstream lines(log.substr(std::min(log.size(), log.find("\nnext:\n"))));
    for (std::string line; std::getline(lines, line);) {
        const auto colon = line.find(": ");
        const auto begin = line.find_first_not_of(' ', colon + 1);
        if (line.rfind("  ", 0) == 0 && colon != std::string::npos &&
            line.rfind("  more designs", 0) != 0)
            commands.push_back(line.substr(begin));
    }
    return commands;
}

// Substitutions: fewer lines, designs and epochs, and all designs count, however bad. What the
// search suggests in its last lines is run as it was printed.
TEST(Documents, TheTutorialWorksAsWritten) {
    Document page("mpi_launch/tutorial.md");
    const Clone clone;
    page.skip("mpi_launch/build.sh", "it builds what this test's build has already");
    page.skip("export PATH=", "the test's shell has it");
    clone.runs(replaced(page.take("edgeloop-data synth"), "--objects 4 --layers 8 --lines 40",
                        "--objects 3 --layers 3 --lines 10"));
    clone.runs(page.take("edgeloop-data inspect"));
    clone.runs(page.take("edgeloop-data shard"));
    std::string search = page.take("mpi_launch/run_local.sh 3 tutorial/run");
    search = replaced(search, "--population 12 --evaluations 36", "--population 4 --evaluations 6");
    search = replaced(search, "--epochs 12", "--epochs 2");
    search = replaced(search, "baseline_ratio<=1", "baseline_ratio<=1000");
    search.pop_back();
    clone.runs(search + " > search.log 2>&1 || { cat search.log; false; }");
    EXPECT_TRUE(fs::exists(clone.path("tutorial/run/tensorboard/search")));
    for (const char* file : {"report.html", "designs.csv", "optuna-journal.log"}) {
        clone.runs(page.take("edgeloop-report tutorial/run"));
        EXPECT_TRUE(fs::exists(clone.path("tutorial/run/") + file)) << file;
    }
    clone.runs(replaced(page.take("mpirun -n 2 --oversubscribe edgeloop-model train"),
                        "--epochs 40 --repeats 2", "--epochs 2 --repeats 1"));
    clone.runs(page.take("edgeloop-model evaluate"));
    clone.runs(page.take("edgeloop-model deploy"));
    clone.runs(page.take("edgeloop-edge measure --model"));
    EXPECT_THAT(page.left(), IsEmpty()) << "commands that nobody runs";

    const Words next = suggested(read_file(clone.path("search.log")));
    ASSERT_EQ(next.size(), 3U) << read_file(clone.path("search.log"));
    for (const std::string& command : next) clone.runs(command);
    EXPECT_TRUE(fs::exists(clone.path("tutorial/run/handover/MODEL_CARD.md")));
}

TEST(Documents, TheCommandsOfTheClusterPageNeedACluster) {
    Document page("mpi_launch/cluster.md");
    page.skip("srun", "tests/slurm/run.sh has a SLURM of its own; this copies files");
    page.skip("sbatch", "tests/slurm/run.sh runs it in a SLURM of its own");
    EXPECT_THAT(page.left(), IsEmpty()) << "commands that nobody runs";
}

// The table is that of the tests.
TEST(Documents, TheCommandsOfThePageAboutTablesWorkAsWritten) {
    Document page("src/table/README.md");
    const Clone clone;
    write_file_atomic(clone.path("cells.tsv"), made_up_table());
    EXPECT_THAT(read_file(in_source("src/table/README.md")),
                HasSubstr(made_up_table().substr(0, made_up_table().find("none\tnone\t1\t32"))));
    clone.runs(page.take("edgeloop-search --problem table:cells.tsv --genes depth:ordinal"));
    EXPECT_THAT(read_file(in_source("src/table/README.md")), HasSubstr(made_up_description()));
    write_file_atomic(clone.path("cells.json"), made_up_description());
    clone.runs(page.take("edgeloop-search --problem table:cells.tsv --table-spec cells.json"));
    clone.runs(page.take("edgeloop-search --problem table:cells.tsv --table-spec cells.json"));
    EXPECT_THAT(read_file(clone.path("runs/simulated/status.json")), HasSubstr("virtual_s"));
    EXPECT_THAT(page.left(), IsEmpty()) << "commands that nobody runs";
}

}  // namespace
}  // namespace edgeloop::test
