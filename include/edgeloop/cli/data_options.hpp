#pragma once

#include "edgeloop/data/clips.hpp"
#include "edgeloop/data/inspect.hpp"
#include "edgeloop/data/shard.hpp"
#include "edgeloop/data/synth.hpp"

#include <optional>

namespace edgeloop::cli {

enum class ReportForm { text, json };

struct InspectCommand {
    InspectOptions inspect;
    ReportForm form = ReportForm::text;
};

/// Options of the subcommands of edgeloop-data. argv[1] is the subcommand. Nothing is returned when
/// --help, --version or --print-config was answered.
/// @throws ConfigError  unknown options, values of the wrong type.
[[nodiscard]] std::optional<SynthOptions> parse_synth_options(int argc, const char* const* argv);
[[nodiscard]] std::optional<ShardOptions> parse_shard_options(int argc, const char* const* argv);
[[nodiscard]] std::optional<InspectCommand> parse_inspect_options(int argc,
                                                                  const char* const* argv);
[[nodiscard]] std::optional<ClipsOptions> parse_clips_options(int argc, const char* const* argv);

}  // namespace edgeloop::cli
