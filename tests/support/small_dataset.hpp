#pragma once

#include "apps/data/synth.hpp"

#include "edgeloop/data/shard.hpp"
#include "edgeloop/evaluation/candidate.hpp"
#include "edgeloop/training/trainer.hpp"

#include <string>

namespace edgeloop::test {

/// Makes shards of a small synthetic dataset in `folder`; gives the shards' folder.
inline std::string make_small_dataset(const std::string& folder, int lines_per_layer = 15) {
    SynthOptions synth;
    synth.output = folder + "/raise";
    synth.version = 1;
    synth.objects = 1;
    synth.layers = 6;
    synth.lines = lines_per_layer;
    synth.line_length_mm = 0.8;
    synth.seed = 5;
    synth.threads = 1;
    ShardOptions shard;
    shard.input = synthesise(synth);
    shard.output = folder + "/shards";
    shard.shards = 2;
    make_shards(shard);
    return shard.output;
}

/// A network of a few thousand weights that trains in milliseconds.
inline std::string small_spec(const std::string& training) {
    return R"({"family":"cnn3d","architecture":{"stages":[{"channels":4,"kernel":[3,3,3],"pool":[2,4,4]}],)"
           R"("hidden":[8],"reduce":"flatten","dropout":0.1},"clip":{"frames":4,"stride":1,"side":16},"training":)" +
           training + "}";
}

inline Candidate small_candidate(const std::string& training, std::uint64_t seed) {
    Candidate made;
    made.id = 7;
    made.seed = seed;
    made.design = Design::parse(small_spec(training), "small_spec");
    return made;
}

inline TrainingSettings cpu_settings(const std::string& shards) {
    TrainingSettings settings;
    settings.shards = shards;
    settings.device = Device::cpu;
    settings.margin = 0;  // every line counts
    settings.short_lines = ShortLines::pad;
    return settings;
}

}  // namespace edgeloop::test
