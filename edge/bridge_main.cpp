#include "bridge_commands.hpp"

#include "edgeloop/core/program.hpp"

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::bridge_program(argc, argv); });
}
