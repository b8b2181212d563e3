#pragma once

namespace edgeloop {

/// The program edgeloop-edge: subcommands serve, measure, info. @return exit code.
int edge_program(int argc, const char* const* argv);

}  // namespace edgeloop
