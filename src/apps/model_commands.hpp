#pragma once

namespace edgeloop::apps {

// Subcommands of edgeloop-model: argv[1] is the subcommand's name. They return the exit code.
[[nodiscard]] int describe_command(int argc, const char* const* argv);
[[nodiscard]] int check_command(int argc, const char* const* argv);
[[nodiscard]] int benchmark_command(int argc, const char* const* argv);
[[nodiscard]] int export_command(int argc, const char* const* argv);

}  // namespace edgeloop::apps
