#pragma once

namespace edgeloop {

/// `edgeloop-edge adapt`: a model goes on learning from labelled clips.
[[nodiscard]] int adapt_command(int argc, const char* const* argv);

}  // namespace edgeloop
