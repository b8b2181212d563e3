// File systems that cannot sync folders are no fault of the user's.
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"

#include <cerrno>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {
int error_of_folders = 0;  ///< what fsync of a folder fails with; 0: it works
}

/// Stands for the C library's: the linker prefers the program's own.
extern "C" int fsync(int descriptor) {
    struct stat info {};
    if (error_of_folders != 0 && ::fstat(descriptor, &info) == 0 && S_ISDIR(info.st_mode)) {
        errno = error_of_folders;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace edgeloop::sync_test {
namespace {

class Sync : public testing::Test {
  protected:
    ~Sync() override { error_of_folders = 0; }
    test::TemporaryFolder folder_;
};

TEST_F(Sync, AFolderThatCannotBeSyncedIsNoError) {
    for (const int code : {EINVAL, ENOTSUP, ENOSYS}) {
        error_of_folders = code;
        EXPECT_NO_THROW(sync_folder_of(folder_.path("f")));
        EXPECT_NO_THROW(write_file_atomic(folder_.path("f"), "content"));
        EXPECT_EQ(read_file(folder_.path("f")), "content");
    }
}

TEST_F(Sync, AFolderOnABadDiskIs) {
    error_of_folders = EIO;
    EXPECT_THROW(sync_folder_of(folder_.path("f")), IoError);
    EXPECT_THROW(write_file_atomic(folder_.path("f"), "content"), IoError);
    EXPECT_THROW(sync_folder_of(folder_.path("nowhere/f")), IoError);
}

}  // namespace
}  // namespace edgeloop::sync_test
