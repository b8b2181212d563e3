#include "commands.hpp"

#include "edgeloop/core/program.hpp"
#include "edgeloop/model/threads.hpp"

int main(int argc, char** argv) {
    using namespace edgeloop;
    restart_with_short_spinning(argv);
    return run_program([&] {
        return cli::run_subcommand(
            "edgeloop-model", "Describes, checks, times and exports single networks.",
            {{"describe", "what each layer of a design costs", describe_command},
             {"check", "compare with a reference file", check_command},
             {"benchmark", "time a design against its matrix products", benchmark_command},
             {"evaluate", "how well a trained network predicts unseen lines", evaluate_command},
             {"export", "write a network as an ONNX file", export_command}},
            argc, argv);
    });
}
