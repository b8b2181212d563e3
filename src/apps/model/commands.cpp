#include "commands.hpp"

#include "edgeloop/core/error.hpp"

namespace edgeloop {

void add_spec(cli::OptionParser& parser, std::string& spec) {
    parser.add("spec", &spec, "design: a JSON file, or a shipped one by name, e.g. human",
               needed_text());
}

void add_device(cli::OptionParser& parser, Processor& processor) {
    parser.add("device",
               cli::spelled(&processor, {{"cpu", Processor::cpu}, {"cuda", Processor::cuda}}),
               "where to run the network");
}

void check_kernels(bool fused, Processor processor) {
    if (fused && processor == Processor::cuda)
        throw ConfigError("the fused kernels are for CPUs", {}, "use another of --kernels");
}

}  // namespace edgeloop
