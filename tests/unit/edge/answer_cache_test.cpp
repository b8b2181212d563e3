#include "answer_cache.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"

#include <chrono>
#include <filesystem>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::answer_cache_test {
namespace {

namespace fs = std::filesystem;
using ::testing::Optional;

std::vector<fs::path> files_in(const std::string& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
    return files;
}

TEST(AnswerCache, KeepsAnswersInAFolderOfItsOwn) {
    const test::TemporaryFolder root;
    const AnswerCache cache(root.path("cache"));
    EXPECT_EQ(cache.find("a question"), std::nullopt);
    cache.keep("a question", "an answer\nof two lines");
    EXPECT_THAT(cache.find("a question"), Optional(std::string("an answer\nof two lines")));
    EXPECT_EQ(cache.find("a questio"), std::nullopt);
    EXPECT_THAT(AnswerCache(root.path("cache")).find("a question"),
                Optional(std::string("an answer\nof two lines")));
    EXPECT_EQ(fs::status(root.path("cache")).permissions(), fs::perms::owner_all);
    cache.keep("a question", "another");
    EXPECT_THAT(cache.find("a question"), Optional(std::string("another")));
    EXPECT_EQ(files_in(root.path("cache")).size(), 1u);
}

TEST(AnswerCache, WhatIsDamagedIsNotThere) {
    const test::TemporaryFolder root;
    const AnswerCache cache(root.path("cache"));
    const std::string whole = [&] {
        cache.keep("key", "answer");
        return read_file(files_in(root.path("cache")).at(0).string());
    }();
    const std::string path = files_in(root.path("cache")).at(0).string();
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ 1);
        write_file_atomic(path, damaged);
        EXPECT_EQ(cache.find("key"), std::nullopt) << "byte " << i;
        EXPECT_FALSE(fs::exists(path));
    }
    write_file_atomic(path, whole.substr(0, whole.size() / 2));
    EXPECT_EQ(cache.find("key"), std::nullopt);
    write_file_atomic(path, "");
    EXPECT_EQ(cache.find("key"), std::nullopt);
    cache.keep("key", "answer");
    EXPECT_THAT(cache.find("key"), Optional(std::string("answer")));
}

TEST(AnswerCache, WhatAnswersAnotherQuestionIsNotTaken) {
    const test::TemporaryFolder root;
    const AnswerCache cache(root.path("cache")), other(root.path("other"));
    cache.keep("key", "answer");
    other.keep("another key", "another answer");
    fs::copy_file(files_in(root.path("other")).at(0), files_in(root.path("cache")).at(0),
                  fs::copy_options::overwrite_existing);
    EXPECT_EQ(cache.find("key"), std::nullopt);
}

TEST(AnswerCache, ForgetsWhatWasUsedLongestAgo) {
    const test::TemporaryFolder root;
    const AnswerCache cache(root.path("cache"), {3, 1 << 20});
    const auto age = [&](const std::string& key, int hours) {
        cache.keep(key, key);
        for (const fs::path& file : files_in(root.path("cache")))
            if (read_file(file.string()).find("\n" + key) != std::string::npos)
                fs::last_write_time(file,
                                    fs::file_time_type::clock::now() - std::chrono::hours(hours));
    };
    age("first", 3);
    age("second", 2);
    age("third", 1);
    EXPECT_TRUE(cache.find("first"));  // and is the youngest by that
    cache.keep("fourth", "fourth");
    EXPECT_FALSE(cache.find("second"));
    for (const char* key : {"first", "third", "fourth"}) EXPECT_TRUE(cache.find(key)) << key;
}

TEST(AnswerCache, IsBoundedInBytes) {
    const test::TemporaryFolder root;
    const AnswerCache cache(root.path("cache"), {1000, 4096});
    for (int i = 0; i < 20; ++i) cache.keep(std::to_string(i), std::string(1000, 'x'));
    std::uintmax_t bytes = 0;
    for (const fs::path& file : files_in(root.path("cache"))) bytes += fs::file_size(file);
    EXPECT_LE(bytes, 4096u);
    EXPECT_GT(bytes, 2000u);
}

TEST(AnswerCache, AFolderThatCannotBeIsNoFailure) {
    const test::TemporaryFolder root;
    write_file_atomic(root.path("file"), "");
    for (const std::string& folder : {std::string(), root.path("file")}) {
        const AnswerCache cache(folder);
        cache.keep("key", "answer");
        EXPECT_EQ(cache.find("key"), std::nullopt);
    }
}

}  // namespace
}  // namespace edgeloop::answer_cache_test
