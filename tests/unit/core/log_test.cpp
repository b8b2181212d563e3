#include "edgeloop/core/log.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace edgeloop::log_test {
namespace {

TEST(Log, NoTextForgesALineOrReachesTheTerminal) {
    const test::TemporaryFolder folder;
    log::configure(log::Level::info, "", folder.path("log"));
    log::warning("file '{}' is missing", "a\n12:00:00 error forged\x1b[2J");
    log::configure(log::Level::info);
    const std::string text = read_file(folder.path("log"));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_NE(text.find("file 'a\\u{a}12:00:00 error forged\\u{1b}[2J' is missing"),
              std::string::npos)
        << text;
}

}  // namespace
}  // namespace edgeloop::log_test
