#pragma once

namespace edgeloop {

/// The program edgeloop-bridge: subcommands serve, status, submit, keygen. @return exit code.
int bridge_program(int argc, const char* const* argv);

}  // namespace edgeloop
