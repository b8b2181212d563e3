#pragma once

#include "apps/data/synth.hpp"
#include "support/places.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/data/shard.hpp"

#include <string>

namespace edgeloop::test {

inline std::string reference_file(const std::string& name) { return test_data("raise/") + name; }

/// Small and quick to make: 16 x 20 pixels, lines of 4 to 20 frames.
inline SynthOptions small_synth(const std::string& output) {
    SynthOptions options;
    options.output = output;
    options.version = 1;
    options.objects = 2;
    options.layers = 5;
    options.lines = 7;
    options.height = 16;
    options.width = 20;
    options.line_length_mm = 0.3;
    options.seed = 3;
    return options;
}

/// Recordings in `folder`/raise, shards in `folder`/shards.
inline Catalogue small_shards(const TemporaryFolder& folder, int shards = 3) {
    ShardOptions options;
    options.input = synthesise(small_synth(folder.path("raise")));
    options.output = folder.path("shards");
    options.shards = shards;
    return make_shards(options);
}

}  // namespace edgeloop::test
