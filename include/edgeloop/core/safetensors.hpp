#pragma once

#include "edgeloop/core/float_array.hpp"

#include <map>
#include <string>
#include <string_view>

namespace edgeloop {

/// Arrays by name as a safetensors file: u64 length of a JSON header, the header with type, shape
/// and place of each array, then the values, little endian. float32 only.
///
/// Readable in Python by `safetensors.torch.load_file(path)`.
[[nodiscard]] std::string encode_safetensors(const std::map<std::string, FloatArray>& arrays);

/// @param where  named in errors.
/// @throws ConfigError  not a safetensors file, other types than F32, or places outside the file.
[[nodiscard]] std::map<std::string, FloatArray> decode_safetensors(std::string_view bytes,
                                                                   const std::string& where);

}  // namespace edgeloop
