// A search that devices dial in to, with keys, as README starts it.
#include "support/eventually.hpp"
#include "support/programs.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/json.hpp"

#include <csignal>
#include <filesystem>
#include <functional>

#include <gtest/gtest.h>
#include <unistd.h>

namespace edgeloop::test {
namespace {

using Words = std::vector<std::string>;

class KeyedSearch : public testing::Test {
  protected:
    KeyedSearch() { std::filesystem::create_directories(folder.path("allowed")); }

    [[nodiscard]] std::string keygen(const std::string& name) const {
        EXPECT_EQ(run({program("edgeloop-bridge"), "keygen", folder.path(name)}).code, 0);
        return folder.path(name);
    }
    [[nodiscard]] std::unique_ptr<ChildProcess> start(const Words& arguments,
                                                      const std::string& log) const {
        ChildOptions options;
        options.arguments = arguments;
        options.output_file = folder.path(log);
        return std::make_unique<ChildProcess>(options);
    }
    [[nodiscard]] std::unique_ptr<ChildProcess> start_search() const {
        return start(mpirun(2, {program("edgeloop-search"),
                                "--data",
                                e2e_data("shards"),
                                "--confirm",
                                "0",
                                "--space",
                                test_data("tiny_space.json"),
                                "--run-dir",
                                folder.path("run"),
                                "--population",
                                "4",
                                "--evaluations",
                                "4",
                                "--measure-seconds",
                                "0.05",
                                "--edge",
                                "bind:tcp://127.0.0.1:*",
                                "--edge-keys",
                                search_key,
                                "--edge-allow",
                                folder.path("allowed")}),
                     "search.log");
    }
    [[nodiscard]] std::unique_ptr<ChildProcess> start_device() const {
        return start({program("edgeloop-edge"), "serve", "--connect", address(), "--keys",
                      device_key, "--server-key", search_key + ".pub", "--reference-every", "0",
                      "--name", "keyed-" + std::to_string(::getpid())},
                     "device.log");
    }
    /// Where the search says that it listens.
    [[nodiscard]] std::string address() const {
        const std::string before = "no device connected to ";
        std::string found;
        EXPECT_TRUE(eventually([&] {
            if (!std::filesystem::exists(folder.path("run/status.json"))) return false;
            const Json status = read_json_file(folder.path("run/status.json"));
            if (!status.contains("link")) return false;
            const std::string state = status.at("link").at("state");
            if (state.rfind(before, 0) == 0) found = state.substr(before.size());
            return !found.empty();
        })) << text("search.log");
        return found;
    }
    [[nodiscard]] std::string text(const std::string& name) const {
        const std::string path = folder.path(name);
        return std::filesystem::exists(path) ? read_file(path) : "";
    }
    void allow_device() const {
        std::filesystem::copy(device_key + ".pub", folder.path("allowed"));
    }
    void expect_a_front(ChildProcess& search) const {
        const auto exit = search.wait_for(120);
        ASSERT_TRUE(exit) << text("search.log") << text("device.log");
        EXPECT_EQ(exit->code, 0) << text("search.log");
        EXPECT_GE(read_table(folder.path("run/pareto.csv")).size(), 2u);
    }

    TemporaryFolder folder;
    std::string search_key = keygen("search.key"), device_key = keygen("device.key");
};

TEST_F(KeyedSearch, IsMeasuredByADeviceThatDialsIn) {
    allow_device();
    const auto search = start_search();
    const auto device = start_device();
    expect_a_front(*search);
}

TEST_F(KeyedSearch, LetsADeviceInWhoseKeyIsMadeAfterItsStart) {
    const auto search = start_search();
    const auto device = start_device();
    EXPECT_TRUE(eventually([&] {
        return text("device.log").find("not on the other's allow-list") != std::string::npos;
    })) << text("device.log");
    allow_device();
    expect_a_front(*search);
}

}  // namespace
}  // namespace edgeloop::test
