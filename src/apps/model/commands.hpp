#pragma once

#include "edgeloop/cli/options.hpp"
#include "edgeloop/model/processor.hpp"

#include <string>

// The subcommands of edgeloop-model, a file each, and the options that several of them have. A
// command gets main's arguments, argv[1] being its own name, and returns the exit code.

namespace edgeloop {

int describe_command(int argc, const char* const* argv);
int check_command(int argc, const char* const* argv);
int benchmark_command(int argc, const char* const* argv);
int deploy_command(int argc, const char* const* argv);
int evaluate_command(int argc, const char* const* argv);
int export_command(int argc, const char* const* argv);
int train_command(int argc, const char* const* argv);

/// --spec
void add_spec(cli::OptionParser& parser, std::string& spec);
/// --device
void add_device(cli::OptionParser& parser, Processor& processor);
/// @param fused  the fused kernels are asked for.
/// @throws ConfigError  they are not for this processor.
void check_kernels(bool fused, Processor processor);

}  // namespace edgeloop
