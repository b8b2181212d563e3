#pragma once

namespace edgeloop {

/// The subcommands of edgeloop-data; argv[1] is the subcommand. Each returns the exit code.
int run_synth(int argc, const char* const* argv);
int run_shard(int argc, const char* const* argv);
/// Exit code 2 when a file has errors.
int run_inspect(int argc, const char* const* argv);
int run_clips(int argc, const char* const* argv);

}  // namespace edgeloop
