#include "edge_commands.hpp"

#include "edgeloop/core/program.hpp"
#include "edgeloop/model/threads.hpp"

int main(int argc, char** argv) {
    edgeloop::restart_with_short_spinning(argv);
    return edgeloop::run_program([&] { return edgeloop::edge_program(argc, argv); });
}
