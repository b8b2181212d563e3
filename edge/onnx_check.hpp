#pragma once

#include <string_view>

namespace edgeloop {

/// Looks through an ONNX model before a runtime loads it, without unpacking it: the model computes
/// with what it contains and with ONNX's own operators, and nothing else.
///
/// Refused are values that lie in other files (external data), operators of other domains than
/// ONNX's, which a library of custom operators would have to bring or which load compiled code from
/// files, functions and training steps that a model brings, graphs nested deeper than 32, and what
/// is no well-formed message.
///
/// Complexity: O(bytes). @throws NetworkError.
void check_onnx(std::string_view model);

}  // namespace edgeloop
