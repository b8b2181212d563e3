#pragma once

namespace edgeloop {

/// `edgeloop-edge run`: predictions of a stream of frames. @throws as the classes that it uses.
[[nodiscard]] int run_command(int argc, const char* const* argv);

}  // namespace edgeloop
