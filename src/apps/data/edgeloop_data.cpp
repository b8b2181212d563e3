#include "apps/data/commands.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/program.hpp"

int main(int argc, char** argv) {
    using namespace edgeloop;
    const auto body = [&] {
        return cli::run_subcommand(
            "edgeloop-data", "makes and prepares RAISE-LPBF melt-pool recordings.",
            {{"synth", "write synthetic recordings", run_synth},
             {"inspect", "describe recordings and list their problems", run_inspect},
             {"shard", "crop recordings into shards for training", run_shard},
             {"clips", "write what a model would see of each line", run_clips}},
            argc, argv);
    };
    return run_program(body, MpiSession::abort);
}
