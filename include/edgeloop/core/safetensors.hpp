#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// Types of elements that are read and written.
enum class ElementType : std::uint8_t { f32, f16, u8, i8, i32, i64 };

/// As safetensors files name it: "F32".
[[nodiscard]] std::string_view name_of(ElementType type);
[[nodiscard]] std::size_t bytes_of(ElementType type);

/// A tensor that lies in somebody else's memory: row-major, little endian, at any address.
struct TensorView {
    ElementType type = ElementType::f32;
    std::vector<std::int64_t> shape;  ///< empty: one value
    std::string_view bytes;           ///< product of the shape times bytes_of(type)
};

/// What a safetensors file holds. Format: u64 length of a JSON header; the header with type, shape
/// and place of each tensor; the values. https://huggingface.co/docs/safetensors
struct SafeTensors {
    std::map<std::string, TensorView> tensors;
    std::map<std::string, std::string> metadata;
};

/// Bounds of what is read, so that a file cannot ask for more memory than its own size a few times.
constexpr std::uint64_t max_safetensors_header = 16ULL << 20U;
constexpr std::size_t max_safetensors = 100'000, max_safetensors_axes = 16;

/// Bytes of a file, tensors in the order of their names, so that equal contents give equal bytes.
/// Readable in Python by `safetensors.torch.load_file(path)`.
/// REQUIRES: each tensor has the bytes of its shape.
[[nodiscard]] std::string encode_safetensors(const SafeTensors& content);

/// @param bytes  of a file; the tensors are views into it.
/// @param where  named in errors.
/// @throws ConfigError  it is no safetensors file, exceeds the bounds above, has another type of
/// elements, or its tensors do not lie one after the other, without overlap or hole, in all of it.
[[nodiscard]] SafeTensors decode_safetensors(std::string_view bytes, const std::string& where);

}  // namespace edgeloop
