#pragma once

#include "edgeloop/data/shard.hpp"
#include "edgeloop/data/synth.hpp"

#include <optional>

namespace edgeloop::cli {

/// Options of the subcommands of edgeloop-data. argv[1] is the subcommand. Nothing is returned when
/// --help, --version or --print-config was answered.
/// @throws ConfigError  unknown options, values of the wrong type.
[[nodiscard]] std::optional<SynthOptions> parse_synth_options(int argc, const char* const* argv);
[[nodiscard]] std::optional<ShardOptions> parse_shard_options(int argc, const char* const* argv);

}  // namespace edgeloop::cli
