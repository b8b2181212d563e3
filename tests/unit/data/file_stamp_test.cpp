#include "data/file_stamp.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"

#include <gtest/gtest.h>

namespace edgeloop::file_stamp_test {
namespace {

TEST(FileStamp, ADigestOfSamplesSeesBothEndsAndTheSize) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("f");
    for (const std::size_t bytes :
         {std::size_t(1), std::size_t(4) << 20, (std::size_t(9) << 20) + 7}) {
        const std::string content(bytes, 'a');
        write_file_atomic(path, content);
        const std::string before = sampled_digest(path);
        EXPECT_EQ(sampled_digest(path), before);
        for (const std::size_t at : {std::size_t(0), bytes - 1}) {
            std::string changed = content;
            changed[at] = 'b';
            write_file_atomic(path, changed);
            EXPECT_NE(sampled_digest(path), before) << bytes << " bytes, changed at " << at;
        }
        write_file_atomic(path, content + 'a');
        EXPECT_NE(sampled_digest(path), before) << bytes;
    }
}

TEST(FileStamp, OfAFileThatIsGoneIsAnError) {
    EXPECT_THROW((void)stamp_of("/nowhere/f"), IoError);
    EXPECT_THROW((void)sampled_digest("/nowhere/f"), IoError);
}

}  // namespace
}  // namespace edgeloop::file_stamp_test
