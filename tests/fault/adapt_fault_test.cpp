// edgeloop-edge adapt is killed: the file is the old or the new one, never a half.
#include "support/blobs.hpp"
#include "support/eventually.hpp"
#include "support/places.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/child_process.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/inference/model_file.hpp"

#include <csignal>
#include <filesystem>

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

class AdaptKilled : public ::testing::Test {
  protected:
    void SetUp() override {
        old_bytes = inference::encode_model(test::blob_network());
        write_file_atomic(model, old_bytes);
        test::Blobs blobs;
        blobs.lines = 60;
        test::write_blobs(folder.path("labelled"), blobs);
    }
    [[nodiscard]] ChildOptions command() const {
        ChildOptions options;
        options.arguments = {test::program("edgeloop-edge"),
                             "adapt",
                             "--model",
                             model,
                             "--labelled",
                             folder.path("labelled"),
                             "--out",
                             model,
                             "--epochs",
                             "20",
                             "--batch",
                             "4",
                             "--learning-rate",
                             "0.003"};
        options.output_file = folder.path("output");
        return options;
    }
    const test::TemporaryFolder folder;
    const std::string model = folder.path("model.elm");
    std::string old_bytes;
};

TEST_F(AdaptKilled, AtRandomMomentsTheFileIsWhole) {
    const double start = steady_seconds();
    ChildProcess undisturbed(command());
    const auto exit = undisturbed.wait_for(280);
    const double seconds = steady_seconds() - start;
    ASSERT_TRUE(exit && exit->code == 0) << read_file(folder.path("output"));
    const std::string new_bytes = read_file(model);
    ASSERT_NE(new_bytes, old_bytes);
    RandomStream random(1, "moments");
    int killed = 0;
    for (int i = 0; i < 50; ++i) {
        write_file_atomic(model, old_bytes);
        ChildProcess child(command());
        if (!child.wait_for(random.uniform(0, 1.1) * seconds)) {
            ++killed;
            ::kill(child.pid(), SIGKILL);
            ASSERT_TRUE(child.wait_for(10));
        }
        const std::string bytes = read_file(model);
        ASSERT_TRUE(bytes == old_bytes || bytes == new_bytes) << i;
    }
    EXPECT_GT(killed, 10);
}

TEST_F(AdaptKilled, BeforeTheNewFileHasItsNameTheOldOneIsThere) {
    ChildOptions options = command();
    const std::string sign = folder.path("hangs");
    options.add_environment = {"LD_PRELOAD=" + test::test_program("libhang_on_rename.so"),
                               "EDGELOOP_TEST_HANGS=" + sign};
    ChildProcess child(options);
    ASSERT_TRUE(test::eventually([&] { return fs::exists(sign); }, 280));
    ::kill(child.pid(), SIGKILL);
    ASSERT_TRUE(child.wait_for(10));
    EXPECT_EQ(read_file(model), old_bytes);
}

}  // namespace
}  // namespace edgeloop
