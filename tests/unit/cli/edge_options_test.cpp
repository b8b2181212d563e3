#include "edgeloop/cli/edge_options.hpp"

#include "edgeloop/core/error.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::cli {
namespace {

MeasureConfig measure(std::vector<const char*> words) {
    words.insert(words.begin(), {"edgeloop-edge", "measure", "--spec", "x"});
    MeasureConfig config;
    (void)parse_measure(static_cast<int>(words.size()), words.data(), config);
    return config;
}

/// What is said about the words; empty: nothing is wrong.
template <class Parse>
std::string complaint(const Parse& parse) {
    try {
        parse();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

TEST(EdgeOptions, BatchSizesHaveTheirOwnBoundAndMessage) {
    EXPECT_EQ(measure({"--batch", "1,4096"}).settings.batches, (std::vector<int>{1, 4096}));
    for (const char* text : {"1,,2", "a", "1-2", "-1", "99999999999"}) {
        const std::string said = complaint([&] { (void)measure({"--batch", text}); });
        EXPECT_NE(said.find("not a list of batch sizes"), std::string::npos)
            << text << ": " << said;
    }
    for (const char* text : {"0", "4097"}) {
        const std::string said = complaint([&] { (void)measure({"--batch", text}); });
        EXPECT_NE(said.find("batch sizes of 1 to 4096"), std::string::npos) << text << ": " << said;
    }
}

}  // namespace
}  // namespace edgeloop::cli
