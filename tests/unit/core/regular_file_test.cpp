// What is no plain file is refused and never waited for: these tests hang where it is.
#include "edgeloop/core/regular_file.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/line_reader.hpp"

#include <cstring>
#include <filesystem>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace edgeloop::regular_file_test {
namespace {

using ::testing::HasSubstr;

class RegularFile : public testing::Test {
  protected:
    RegularFile() {
        write_file_atomic(path("plain"), "text");
        std::filesystem::create_symlink("plain", path("link"));
        EXPECT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
        std::filesystem::create_symlink("pipe", path("link-to-pipe"));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path("socket").c_str(), sizeof address.sun_path - 1);
        const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
                  0);
    }
    [[nodiscard]] std::string path(const std::string& name) const { return folder_.path(name); }

    static std::string error_of(const std::function<void()>& read) {
        try {
            read();
        } catch (const ConfigError& error) {
            return error.what();
        }
        return "read";
    }

    test::TemporaryFolder folder_;
};

TEST_F(RegularFile, PlainFilesAreOpenedAlsoThroughALink) {
    for (const char* name : {"plain", "link"}) {
        std::string bytes;
        ASSERT_TRUE(read_all(open_regular_file(path(name)).get(), bytes));
        EXPECT_EQ(bytes, "text");
    }
    EXPECT_NO_THROW(require_regular_file(path("link")));
    EXPECT_NO_THROW((void)open_regular_file(path("plain"), Links::refuse));
    EXPECT_THAT(error_of([&] { (void)open_regular_file(path("link"), Links::refuse); }),
                HasSubstr("is not a regular file (it is a link"));
}

TEST_F(RegularFile, PipesSocketsDevicesAndFoldersAreNot) {
    for (const std::string& name :
         {path("pipe"), path("link-to-pipe"), path("socket"), std::string("/dev/null")})
        for (const std::function<void()>& read :
             {std::function<void()>([&] { (void)open_regular_file(name); }),
              std::function<void()>([&] { require_regular_file(name); }),
              std::function<void()>([&] { (void)read_file(name); }),
              std::function<void()>([&] { (void)read_json_file(name); }),
              std::function<void()>([&] { LineReader reader(name); })})
            EXPECT_THAT(error_of(read), HasSubstr("'" + name + "' is not a regular file"));
    EXPECT_THAT(error_of([&] { (void)open_regular_file(folder_.root()); }),
                HasSubstr("is a directory"));
    EXPECT_THAT(error_of([&] { (void)open_regular_file(path("none")); }),
                HasSubstr("does not exist"));
    EXPECT_THAT(error_of([&] { (void)open_regular_file(path("plain/none")); }),
                HasSubstr("does not exist"));
}

}  // namespace
}  // namespace edgeloop::regular_file_test
