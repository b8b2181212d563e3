#include "apps/model_commands.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/model/threads.hpp"

int main(int argc, char** argv) {
    using namespace edgeloop;
    restart_with_short_spinning(argv);
    return run_program([&] {
        return cli::run_subcommand(
            "edgeloop-model", "Describes, checks, times and exports single networks.",
            {{"describe", "what each layer of a design costs", apps::describe_command},
             {"check", "compare with a reference file", apps::check_command},
             {"benchmark", "time a design against its matrix products", apps::benchmark_command},
             {"export", "write a network as an ONNX file", apps::export_command}},
            argc, argv);
    });
}
