#include "edgeloop/cli/edge_options.hpp"

#include "edgeloop/core/error.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::cli::edge_options_test {
namespace {

MeasurementSettings measured(std::vector<const char*> words) {
    words.insert(words.begin(), {"edgeloop-edge", "--spec", "x"});
    OptionParser parser("edgeloop-edge measure", "");
    MeasurementChoice choice;
    choice.add_to(parser);
    (void)parser.parse(static_cast<int>(words.size()), words.data());
    choice.check();
    return choice.settings;
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
    EXPECT_EQ(measured({"--batch", "1,4096"}).batches, (std::vector<int>{1, 4096}));
    for (const char* text : {"1,,2", "a", "1-2", "-1", "99999999999"}) {
        const std::string said = complaint([&] { (void)measured({"--batch", text}); });
        EXPECT_NE(said.find("not a list of batch sizes"), std::string::npos)
            << text << ": " << said;
    }
    for (const char* text : {"0", "4097"}) {
        const std::string said = complaint([&] { (void)measured({"--batch", text}); });
        EXPECT_NE(said.find("batch sizes of 1 to 4096"), std::string::npos) << text << ": " << said;
    }
}

TEST(EdgeOptions, MistakesAreNamedAsTyped) {
    for (const char* name : {"--seconds", "--samples", "--threads", "--runtime", "--spread",
                             "--min-seconds", "--processor", "--repeat"}) {
        const std::string said = complaint([&] { (void)measured({name, "-1"}); });
        EXPECT_NE(said.find(std::string("option '") + name + "' got '-1' (it takes "),
                  std::string::npos)
            << said;
    }
    EXPECT_NE(complaint([] {
                  (void)measured({"--weights", "../x"});
              }).find("weights"),
              std::string::npos);
}

}  // namespace
}  // namespace edgeloop::cli::edge_options_test
