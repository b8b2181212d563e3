#pragma once

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/model/processor.hpp"

#include <string>

namespace edgeloop::apps {

// Subcommands of edgeloop-model: argv[1] is the subcommand's name. They return the exit code.
[[nodiscard]] int describe_command(int argc, const char* const* argv);
[[nodiscard]] int check_command(int argc, const char* const* argv);
[[nodiscard]] int benchmark_command(int argc, const char* const* argv);
[[nodiscard]] int export_command(int argc, const char* const* argv);

// Settings that several of them have.
constexpr int first_option = 2;

inline void add_spec(cli::OptionParser& parser, std::string& spec) {
    parser.add("spec", &spec, "design: a JSON file, or a shipped one by name, e.g. human",
               needed_text());
}

inline void add_device(cli::OptionParser& parser, Processor& processor) {
    parser.add("device",
               cli::spelled(&processor, {{"cpu", Processor::cpu}, {"cuda", Processor::cuda}}),
               "where to run the network");
}

/// @param fused  the fused kernels are asked for.
inline void check_kernels(bool fused, Processor processor) {
    if (fused && processor == Processor::cuda)
        throw ConfigError("the fused kernels are for CPUs", {}, "use another of --kernels");
}

}  // namespace edgeloop::apps
