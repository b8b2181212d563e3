#include "edgeloop/core/access.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <tuple>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edgeloop::access_test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t nobody = 65534;

unsigned mode_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
}

/// Sets the umask as long as it lives.
class Umask {
  public:
    explicit Umask(mode_t mask) : before_(::umask(mask)) {}
    ~Umask() { ::umask(before_); }
    Umask(const Umask&) = delete;
    Umask& operator=(const Umask&) = delete;

  private:
    mode_t before_;
};

/// Another user as long as it lives; needs root.
class AsNobody {
  public:
    AsNobody() { EXPECT_EQ(::seteuid(nobody), 0); }
    ~AsNobody() { EXPECT_EQ(::seteuid(0), 0); }
    AsNobody(const AsNobody&) = delete;
    AsNobody& operator=(const AsNobody&) = delete;
};

TEST(Access, ModesOfOwnFilesDoNotDependOnTheUmask) {
    for (const mode_t mask : {0000U, 0022U, 0077U}) {
        const test::TemporaryFolder folder;
        const Umask as_set(mask);
        for (const auto& [access, file, inside] :
             {std::tuple(Access::owner, 0600U, 0700U), {Access::group, 0640U, 0750U}}) {
            const std::string own = folder.path(access == Access::owner ? "a" : "b");
            make_own_folder(own, access);
            make_inner_folder(own + "/inner", access);
            write_file_atomic(own + "/atomic", "x", Durability::process_crash, access);
            AppendFile(own + "/appended", access).append("x");
            EXPECT_EQ(mode_of(own), inside) << mask;
            EXPECT_EQ(mode_of(own + "/inner"), inside) << mask;
            EXPECT_EQ(mode_of(own + "/atomic"), file) << mask;
            EXPECT_EQ(mode_of(own + "/appended"), file) << mask;
        }
        write_file_atomic(folder.path("named"), "x", Durability::process_crash);
        EXPECT_EQ(mode_of(folder.path("named")), 0644U & ~mask) << "as the user is used to";
    }
}

TEST(Access, AFileThatIsThereIsTightened) {
    const test::TemporaryFolder folder;
    write_file_atomic(folder.path("f"), "old ");
    fs::permissions(folder.path("f"), fs::perms(0666));
    AppendFile(folder.path("f"), Access::owner).append("new");
    EXPECT_EQ(mode_of(folder.path("f")), 0600U);
    EXPECT_EQ(read_file(folder.path("f")), "old new");
}

TEST(Access, LinksAreReplacedOrRefusedAndNeverFollowed) {
    const test::TemporaryFolder folder;
    write_file_atomic(folder.path("precious"), "precious");
    for (const char* target : {"precious", "nowhere"}) {
        fs::create_symlink(target, folder.path("link"));
        EXPECT_THROW((void)AppendFile(folder.path("link"), Access::owner), ConfigError);
        EXPECT_THROW((void)open_own_file(folder.path("link"), O_WRONLY, Access::owner),
                     ConfigError);
        EXPECT_THROW((void)lock_file(folder.path("link")), ConfigError);
        write_file_atomic(folder.path("link"), "mine", Durability::process_crash, Access::owner);
        EXPECT_FALSE(fs::is_symlink(folder.path("link")));
        EXPECT_EQ(read_file(folder.path("link")), "mine");
        fs::remove(folder.path("link"));
    }
    EXPECT_EQ(read_file(folder.path("precious")), "precious");
    EXPECT_FALSE(fs::exists(folder.path("nowhere")));
}

TEST(Access, NobodyCanPutALinkUnderTheNameOfATemporaryFile) {
    const test::TemporaryFolder folder;
    write_file_atomic(folder.path("precious"), "precious");
    const std::string guessed = folder.path("f.tmp" + std::to_string(::getpid()));
    fs::create_symlink("precious", guessed);
    for (const Access access : {Access::as_usual, Access::owner})
        write_file_atomic(folder.path("f"), "new", Durability::process_crash, access);
    EXPECT_EQ(read_file(folder.path("precious")), "precious");
    EXPECT_TRUE(fs::is_symlink(guessed));
}

TEST(Access, APipeInAFilesPlaceIsRefusedAndNotWaitedFor) {
    const test::TemporaryFolder folder;
    ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
    EXPECT_THROW((void)AppendFile(folder.path("pipe"), Access::owner), Error);
    EXPECT_THROW((void)open_own_file(folder.path("pipe"), O_RDWR, Access::owner), ConfigError);
    EXPECT_THROW(
        write_file_atomic(folder.path("pipe"), "x", Durability::process_crash, Access::owner),
        ConfigError);
    EXPECT_TRUE(fs::is_fifo(folder.path("pipe")));
}

// The limit on the size of a file stands for a full disk.
TEST(AccessDeathTest, AFullDiskLeavesTheOldContentAndNoTemporaryFile) {
    const test::TemporaryFolder folder;
    write_file_atomic(folder.path("f"), "old");
    const auto fill = [&] {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{1000, 1000};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        int refused = 0;
        for (const Access access : {Access::as_usual, Access::owner}) try {
                write_file_atomic(folder.path("f"), std::string(5000, 'x'),
                                  Durability::process_crash, access);
            } catch (const IoError&) {
                ++refused;
            }
        std::_Exit(refused);
    };
    EXPECT_EXIT(fill(), testing::ExitedWithCode(2), "");
    EXPECT_EQ(read_file(folder.path("f")), "old");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.root()), {}), 1);
}

TEST(OwnFolder, OneThatIsThereKeepsItsModeAndOpensForTheGroupWhenAsked) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("run");
    make_own_folder(path + "/", Access::owner);
    EXPECT_EQ(mode_of(path), 0700U);
    make_own_folder(path, Access::group);
    EXPECT_EQ(mode_of(path), 0750U);
    make_own_folder(path, Access::owner);
    EXPECT_EQ(mode_of(path), 0750U);
    fs::permissions(path, fs::perms(0755));  // as earlier releases made them
    make_own_folder(path, Access::owner);
    EXPECT_EQ(mode_of(path), 0755U);
}

TEST(OwnFolder, OneThatEverybodyMayWriteToIsRefused) {
    const test::TemporaryFolder folder;
    fs::create_directory(folder.path("open"));
    fs::permissions(folder.path("open"), fs::perms(0777));
    EXPECT_THROW(make_own_folder(folder.path("open"), Access::owner), ConfigError);
}

TEST(OwnFolder, OneOfAnotherUserIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be two users";
    const test::TemporaryFolder folder;
    fs::permissions(folder.root(), fs::perms(0755));
    for (const uid_t owner : {uid_t(0), nobody, uid_t(12345)}) {
        const std::string path = folder.path(std::to_string(owner));
        fs::create_directory(path);
        ASSERT_EQ(::chown(path.c_str(), owner, 0), 0);
        const AsNobody nobody_else;
        if (owner == 12345)
            EXPECT_THROW(make_own_folder(path, Access::owner), ConfigError);
        else
            EXPECT_NO_THROW(make_own_folder(path, Access::owner)) << "root is trusted";
    }
}

TEST(OwnFolder, AnInnerFolderIsNoLink) {
    const test::TemporaryFolder folder;
    fs::create_directory(folder.path("elsewhere"));
    fs::create_directory_symlink("elsewhere", folder.path("inner"));
    EXPECT_THROW(make_inner_folder(folder.path("inner"), Access::owner), ConfigError);
    write_file_atomic(folder.path("file"), "");
    EXPECT_THROW(make_inner_folder(folder.path("file"), Access::owner), IoError);
    EXPECT_THROW(make_own_folder(folder.path("file") + "/run", Access::owner), IoError);
}

TEST(OwnFolder, LocksGoWhereNobodyElseCouldHaveMadeTheFolder) {
    const test::TemporaryFolder folder;
    const std::string home = folder.path("home"), shared = folder.path("shared");
    fs::create_directory(home);
    fs::create_directory(shared);
    fs::permissions(shared, fs::perms(01777));
    const FolderPlace nowhere{folder.path("nowhere"), "x"}, at_home{home, ".cache/edgeloop"};
    EXPECT_EQ(own_folder({{"", "x"}, nowhere, at_home}), home + "/.cache/edgeloop");
    EXPECT_EQ(mode_of(home + "/.cache"), 0700U);
    EXPECT_EQ(own_folder({at_home}), home + "/.cache/edgeloop") << "again";
    EXPECT_EQ(own_folder({{shared, "edgeloop-1", true}}), shared + "/edgeloop-1");
    EXPECT_EQ(mode_of(shared + "/edgeloop-1"), 0700U);
    // What others can have put there.
    fs::create_directory_symlink(home, shared + "/edgeloop-2");
    fs::create_directory(shared + "/edgeloop-3");
    fs::permissions(shared + "/edgeloop-3", fs::perms(0777));
    for (const char* name : {"edgeloop-2", "edgeloop-3"})
        EXPECT_THROW((void)own_folder({{shared, name, true}}), ConfigError) << name;
    EXPECT_THROW((void)own_folder({{shared, "x"}}), ConfigError)
        << "everybody writes to its parent";
    EXPECT_EQ(own_folder({{shared, "edgeloop-3", true}, at_home}), home + "/.cache/edgeloop");
}

TEST(OwnFolder, AFolderThatAnotherUserMadeFirstIsNotUsed) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be two users";
    const test::TemporaryFolder folder;
    fs::create_directory(folder.path("edgeloop-0"));
    ASSERT_EQ(::chown(folder.path("edgeloop-0").c_str(), nobody, nobody), 0);
    EXPECT_THROW((void)own_folder({{folder.root(), "edgeloop-0", true}}), ConfigError);
}

TEST(LockFile, MayBeRemovedByWhoHoldsIt) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("lock");
    {
        const Descriptor first = lock_file(path);
        fs::remove(path);
    }
    const Descriptor second = lock_file(path);
    ASSERT_GE(second.get(), 0);
    EXPECT_TRUE(fs::exists(path)) << "it holds the file that others will find";
    EXPECT_LT(lock_file(path).get(), 0);
}

}  // namespace
}  // namespace edgeloop::access_test
