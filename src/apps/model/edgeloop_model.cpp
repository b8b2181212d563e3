#include "commands.hpp"

#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/model/threads.hpp"

#include <vector>

int main(int argc, char** argv) {
    using namespace edgeloop;
    restart_with_short_spinning(argv);
    const std::vector<cli::Subcommand> commands{
        {"describe", "what each layer of a design costs", describe_command},
        {"check", "compare with a reference file", check_command},
        {"benchmark", "time a design against its matrix products", benchmark_command},
        {"train", "train a design in full, also under mpirun", train_command},
        {"evaluate", "how well a trained network predicts unseen lines", evaluate_command},
        {"deploy", "make a folder to hand over", deploy_command},
        {"export", "write a network as a file for others, or as Verilog", export_command}};
    return run_program(
        [&] {
            return cli::run_subcommand(
                "edgeloop-model", "Describes, checks, times, trains and exports single networks.",
                commands, argc, argv);
        },
        MpiSession::abort);
}
