#pragma once

#include "support/places.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop::test {

using Words = std::vector<std::string>;

inline Words operator+(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

/// The words, before them each of these options that is not among them.
inline Words with_defaults(const std::vector<std::pair<std::string, std::string>>& defaults,
                           const Words& words) {
    Words all;
    for (const auto& [option, value] : defaults)
        if (std::find(words.begin(), words.end(), option) == words.end())
            all.insert(all.end(), {option, value});
    return all + words;
}

/// Command line of a search over real networks that train for milliseconds on the small dataset,
/// with modelled latency. The result is the same each time: that of other engines than the
/// generational depends on the order in which trainings finish. `more` may say otherwise.
inline Words small_search(const std::string& run_dir, const Words& more = {}) {
    return Words{program("edgeloop-search")} +
           with_defaults({{"--data", e2e_data("shards")},
                          {"--space", test_data("tiny_space.json")},
                          {"--run-dir", run_dir},
                          {"--engine", "generational"},
                          {"--population", "4"},
                          {"--edge", "model"},
                          {"--seed", "11"},
                          {"--confirm", "0"}},
                         more);
}

}  // namespace edgeloop::test
