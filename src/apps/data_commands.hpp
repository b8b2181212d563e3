#pragma once

namespace edgeloop {

/// The subcommands of edgeloop-data; argv[1] is the subcommand. Each returns the exit code.
int run_synth(int argc, const char* const* argv);
int run_shard(int argc, const char* const* argv);

}  // namespace edgeloop
