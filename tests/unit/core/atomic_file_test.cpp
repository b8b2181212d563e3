#include "edgeloop/core/atomic_file.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/error.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace edgeloop::atomic_file_test {
namespace {

TEST(AtomicFile, ReplacesWholeContentAndLeavesNoTemporary) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("f");
    write_file_atomic(path, "first, longer content");
    write_file_atomic(path, std::string("se\0cond", 7), Durability::process_crash);
    EXPECT_EQ(read_file(path), std::string("se\0cond", 7));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.root()), {}), 1);
}

TEST(AtomicFile, AFailedWriteKeepsTheOldContent) {
    const test::TemporaryFolder folder;
    EXPECT_THROW(write_file_atomic(folder.path("missing/f"), "x"), IoError);
    const std::string target = folder.path("is-a-folder");
    make_directories(target + "/inside");
    EXPECT_THROW(write_file_atomic(target, "x"), ConfigError);
    EXPECT_TRUE(std::filesystem::exists(target + "/inside"));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.root()), {}), 1)
        << "no temporary stays";
}

TEST(AtomicFile, ALinkStaysOneAndADeviceIsNotReplaced) {
    const test::TemporaryFolder folder;
    write_file_atomic(folder.path("real"), "old");
    std::filesystem::create_symlink("real", folder.path("link"));
    write_file_atomic(folder.path("link"), "new");
    EXPECT_TRUE(std::filesystem::is_symlink(folder.path("link")));
    EXPECT_EQ(read_file(folder.path("real")), "new");
    ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
    EXPECT_THROW(write_file_atomic(folder.path("pipe"), "x"), ConfigError);
    EXPECT_TRUE(std::filesystem::is_fifo(folder.path("pipe")));
}

TEST(AtomicFile, ReadingRefusesWhatIsNotThereTooLargeOrAFolder) {
    const test::TemporaryFolder folder;
    EXPECT_THROW(static_cast<void>(read_file(folder.path("none"))), ConfigError);
    EXPECT_THROW(static_cast<void>(read_file(folder.root())), ConfigError);
    write_file_atomic(folder.path("f"), "12345");
    EXPECT_EQ(read_file(folder.path("f"), 5), "12345");
    EXPECT_THROW(static_cast<void>(read_file(folder.path("f"), 4)), ConfigError);
}

TEST(AppendFile, AppendsAcrossReopening) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("journal");
    {
        AppendFile file(path);
        file.append("one\n");
        file.sync();
    }
    AppendFile file(path);
    file.append("two\n");
    EXPECT_EQ(read_file(path), "one\ntwo\n");
}

TEST(AppendFile, FullDiskIsAnError) {
    if (!std::filesystem::exists("/dev/full")) GTEST_SKIP();
    AppendFile file("/dev/full");
    EXPECT_THROW(file.append("x"), IoError);
}

}  // namespace
}  // namespace edgeloop::atomic_file_test
