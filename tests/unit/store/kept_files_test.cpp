#include "edgeloop/store/kept_files.hpp"

#include "support/search_support.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace edgeloop::kept_files_test {
namespace {

namespace fs = std::filesystem;

class KeptFilesTest : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* folder : {"training", "weights", "models/2"})
            make_directories(folder_.path(folder));
    }
    void write(const std::string& name) {
        write_file_atomic(folder_.path(name), std::string(100, 'x'));
    }
    [[nodiscard]] bool exists(const std::string& name) const {
        return fs::exists(folder_.path(name));
    }
    static CompletedCandidate completed(CandidateId id) {
        CompletedCandidate made;
        made.candidate.id = id;
        return made;
    }

    test::TemporaryFolder folder_;
};

TEST_F(KeptFilesTest, FilesGoWhenTheirCandidateNeedsThemNoMore) {
    EngineState state;
    state.pending[1] = {};
    state.archive.add(completed(2), {0.1, 0.2});
    state.own = AsynchronousState{{{{completed(3), false}, {completed(4), true}}}};
    for (const char* id : {"1", "2", "3", "4", "5"}) {
        write(std::string("training/") + id + ".state");
        write(std::string("weights/") + id + ".safetensors");
    }
    write("training/notes.txt");
    write("training/1.state.tmp77");
    const KeptFiles files(folder_.root(), 1000);
    EXPECT_FALSE(exists("training/1.state.tmp77"));
    EXPECT_EQ(files.tidy(state), 500u);
    for (const char* id : {"1", "3"})
        EXPECT_TRUE(exists(std::string("training/") + id + ".state")) << id;
    for (const char* id : {"2", "4", "5"})
        EXPECT_FALSE(exists(std::string("training/") + id + ".state")) << id;
    EXPECT_TRUE(exists("weights/2.safetensors"));
    EXPECT_FALSE(exists("weights/5.safetensors"));
    GenerationalState generation;
    generation.cohort = {completed(3)};
    state.own = generation;
    EXPECT_EQ(files.tidy(state), 500u);
    EXPECT_TRUE(exists("training/3.state"));
    EXPECT_TRUE(exists("training/notes.txt"));

    EXPECT_EQ(files.finish(state.archive.members()), 0u);
    EXPECT_TRUE(exists("models/2/weights.safetensors"));
    EXPECT_FALSE(exists("weights"));
    EXPECT_FALSE(exists("training"));
}

TEST_F(KeptFilesTest, APauseShowsWeightsOfTheFrontAndKeepsThem) {
    EngineState state;
    state.archive.add(completed(2), {0.1, 0.2});
    write("weights/2.safetensors");
    const KeptFiles files(folder_.root(), 1000);
    files.show(state.archive.members());
    EXPECT_TRUE(exists("models/2/weights.safetensors"));
    EXPECT_TRUE(exists("weights/2.safetensors"));
    // Trained on: the newer ones are shown, and those of others that came from another run.
    write_file_atomic(folder_.path("weights/2.safetensors"), "newer");
    write_file_atomic(folder_.path("elsewhere"), "copied");
    files.adopt(folder_.path("elsewhere"), 3);
    make_directories(folder_.path("models/3"));
    state.archive.add(completed(3), {0.2, 0.1});
    state.archive.add(completed(4), {0.15, 0.15});
    files.show(state.archive.members());
    EXPECT_EQ(read_file(folder_.path("models/2/weights.safetensors")), "newer");
    EXPECT_EQ(read_file(folder_.path("models/3/weights.safetensors")), "copied");
    EXPECT_EQ(files.finish(state.archive.members()), 1u) << "of 4 there are none";
    EXPECT_THROW(files.adopt(folder_.path("nowhere"), 5), IoError);
}

TEST_F(KeptFilesTest, WeightsAreShownBeforeThereIsAModelAndReplacedAsAWhole) {
    EngineState state;
    state.archive.add(completed(8), {0.1, 0.2});
    write_file_atomic(folder_.path("weights/8.safetensors"), "first");
    const KeptFiles files(folder_.root(), 1000);
    files.show(state.archive.members());
    const std::string shown = folder_.path("models/8/weights.safetensors");
    EXPECT_EQ(read_file(shown), "first");
    const auto before = fs::last_write_time(shown);
    files.show(state.archive.members());
    EXPECT_EQ(fs::last_write_time(shown), before);
    // Who has opened the old ones keeps them whole; the new ones are of the same length.
    const Descriptor open = open_regular_file(shown);
    write_file_atomic(folder_.path("weights/8.safetensors"), "other");
    files.show(state.archive.members());
    EXPECT_EQ(read_file(shown), "other");
    std::string old;
    EXPECT_TRUE(read_all(open.get(), old));
    EXPECT_EQ(old, "first");
    EXPECT_FALSE(exists("models/8/weights.safetensors.tmp"));
    EXPECT_EQ(files.finish(state.archive.members()), 0u);
    EXPECT_EQ(read_file(shown), "other");
}

TEST_F(KeptFilesTest, WeightsOfOthersAreNeverWhatALinkLeadsTo) {
    EngineState state;
    state.archive.add(completed(2), {0.1, 0.2});
    write_file_atomic(folder_.path("secret"), "secret");
    fs::create_symlink(folder_.path("secret"), folder_.path("theirs"));
    ASSERT_EQ(::mkfifo(folder_.path("pipe").c_str(), 0600), 0);
    const KeptFiles files(folder_.root(), 1000);
    EXPECT_THROW(files.adopt(folder_.path("theirs"), 2), IoError);
    EXPECT_THROW(files.adopt(folder_.path("pipe"), 2), IoError);
    EXPECT_FALSE(exists("weights/2.safetensors"));
    fs::create_symlink(folder_.path("secret"), folder_.path("weights/2.safetensors"));
    files.show(state.archive.members());
    EXPECT_FALSE(exists("models/2/weights.safetensors"));
    files.adopt(folder_.path("secret"), 2);
    EXPECT_FALSE(fs::is_symlink(folder_.path("weights/2.safetensors")));
    EXPECT_EQ(fs::status(folder_.path("weights/2.safetensors")).permissions(), fs::perms(0600));
}

TEST_F(KeptFilesTest, AConfirmedDesignHasTheWeightsOfItsFirstRepeat) {
    EngineState state;
    ArchiveMember confirmed{completed(2), {0.1, 0.2}};
    confirmed.weights = repeat_id(2, 1);
    state.archive.add(confirmed);
    state.confirmation.contenders = {confirmed};
    state.confirmation.draws[5] = {{repeat_id(5, 3), {}, {}, 0}};
    for (const char* id : {"2", "1000000002", "2000000002", "3000000005", "1000000007"})
        write(std::string("weights/") + id + ".safetensors");
    write_file_atomic(folder_.path("weights/1000000002.safetensors"), "repeat");
    const KeptFiles files(folder_.root(), 1000);
    (void)files.tidy(state);
    EXPECT_TRUE(exists("weights/1000000002.safetensors"));
    EXPECT_TRUE(exists("weights/3000000005.safetensors")) << "it waits for others";
    EXPECT_FALSE(exists("weights/2000000002.safetensors"));
    EXPECT_FALSE(exists("weights/1000000007.safetensors"));
    EXPECT_EQ(files.finish(state.archive.members()), 0u);
    EXPECT_EQ(read_file(folder_.path("models/2/weights.safetensors")), "repeat");
}

TEST_F(KeptFilesTest, TheOldestOfThoseThatWaitGoFirst) {
    EngineState state;
    state.pending[1] = {};
    state.own =
        AsynchronousState{{{{completed(2), false}, {completed(3), false}, {completed(4), false}}}};
    for (const int id : {1, 2, 3, 4}) {
        const std::string name = "training/" + std::to_string(id) + ".state";
        write(name);
        fs::last_write_time(folder_.path(name),
                            fs::file_time_type() + std::chrono::seconds(id == 3 ? 1 : 10 + id));
    }
    EXPECT_EQ(KeptFiles(folder_.root(), 250).tidy(state), 300u);
    EXPECT_FALSE(exists("training/3.state"));
    EXPECT_EQ(KeptFiles(folder_.root(), 0).tidy(state), 100u);
    EXPECT_TRUE(exists("training/1.state"));
}

}  // namespace
}  // namespace edgeloop::kept_files_test
