#include "apps/search_config.hpp"

#include "edgeloop/core/error.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace edgeloop::apps::edge_keys_test {
namespace {

void parse(std::vector<const char*> words) {
    words.insert(words.begin(), {"edgeloop-search", "--problem", "zdt1", "--run-dir", "x"});
    SearchConfig config;
    (void)parse_search_config(static_cast<int>(words.size()), words.data(), config);
}

TEST(EdgeKeys, ANetworkLinkNeedsKeysOrAnExplicitWish) {
    EXPECT_THROW(parse({"--edge", "bind:tcp://*:5701"}), ConfigError);
    EXPECT_THROW(parse({"--edge", "tcp://bridge:5701"}), ConfigError);
    EXPECT_NO_THROW(parse({"--edge", "tcp://bridge:5701", "--edge-insecure"}));
    EXPECT_NO_THROW(parse({"--edge", "bind:tcp://127.0.0.1:5701"}));
}

TEST(EdgeKeys, KeysNeedTheOtherSidesKeys) {
    EXPECT_THROW(parse({"--edge", "tcp://bridge:5701", "--edge-keys", "k"}), ConfigError);
    EXPECT_THROW(parse({"--edge", "bind:tcp://*:5701", "--edge-keys", "k"}), ConfigError);
    EXPECT_NO_THROW(
        parse({"--edge", "tcp://bridge:5701", "--edge-keys", "k", "--edge-server-key", "s"}));
    EXPECT_NO_THROW(
        parse({"--edge", "bind:tcp://*:5701", "--edge-keys", "k", "--edge-allow", "a"}));
}

TEST(EdgeAddress, IsATcpOrASocketOfTheFileSystem) {
    for (const char* good : {"ipc:///tmp/bridge", "bind:ipc:///tmp/search", "bind:tcp://[::1]:*"})
        EXPECT_NO_THROW(parse({"--edge", good})) << good;
    EXPECT_THROW(parse({"--edge", "bind:tcp://[::]:*"}), ConfigError) << "without keys";
    EXPECT_THROW(parse({"--edge", "nosuch"}), ConfigError);
}

TEST(EdgeAddress, AClassThatCannotBeSentIsRefused) {
    const std::string name(300, 'x');
    EXPECT_THROW(parse({"--device-class", name.c_str()}), ConfigError);
}

}  // namespace
}  // namespace edgeloop::apps::edge_keys_test
