#include "edgeloop/core/temporary_folder.hpp"

#include "edgeloop/core/error.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::temporary_folder_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

int mode_of(const std::string& path) { return static_cast<int>(fs::status(path).permissions()); }

TEST(TemporaryFolder, IsThisUsersAndGoesWithWhatIsInIt) {
    std::string path;
    {
        const TemporaryFolder folder, open("", 0711);
        path = folder.path();
        EXPECT_EQ(mode_of(path), 0700);
        EXPECT_EQ(mode_of(open.path()), 0711);
        EXPECT_NE(path, open.path());
        fs::create_directory(path + "/more");
        std::ofstream(path + "/more/file") << "text";
    }
    EXPECT_FALSE(fs::exists(path));
}

TEST(TemporaryFolder, IsInTheParentElseInTMPDIRElseInTmp) {
    const TemporaryFolder outer;
    EXPECT_THAT(TemporaryFolder(outer.path()).path(), StartsWith(outer.path() + "/edgeloop-"));
    ::setenv("TMPDIR", outer.path().c_str(), 1);
    EXPECT_THAT(TemporaryFolder().path(), StartsWith(outer.path() + "/edgeloop-"));
    for (const bool is_set : {true, false}) {
        if (is_set)
            ::setenv("TMPDIR", "", 1);
        else
            ::unsetenv("TMPDIR");
        EXPECT_THAT(TemporaryFolder().path(), StartsWith("/tmp/edgeloop-"));
    }
}

TEST(TemporaryFolder, SaysWhereNoneCouldBeMade) {
    const TemporaryFolder outer;
    try {
        const TemporaryFolder folder(outer.path() + "/absent");
        FAIL() << folder.path();
    } catch (const IoError& error) {
        EXPECT_THAT(error.what(), HasSubstr(outer.path() + "/absent/edgeloop-"));
        EXPECT_THAT(error.what(), HasSubstr("No such file"));
    }
}

}  // namespace
}  // namespace edgeloop::temporary_folder_test
