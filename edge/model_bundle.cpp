#include "model_bundle.hpp"

#include "edgeloop/core/error.hpp"

#include <fmt/format.h>

namespace edgeloop {

std::string encode_bundle(std::string_view model, const TestVectors* vectors) {
    SafeTensors content;
    content.tensors["model"] = {ElementType::u8, {static_cast<std::int64_t>(model.size())}, model};
    if (vectors != nullptr)
        for (std::size_t i = 0; i < vectors->inputs().size(); ++i)
            content.tensors[fmt::format("input.{:03}", i)] = vectors->inputs()[i];
    return encode_safetensors(content);
}

ModelBundle decode_bundle(std::string_view bytes) {
    const SafeTensors content = decode_safetensors(bytes, "model");
    ModelBundle bundle;
    for (const auto& [name, tensor] : content.tensors)  // in the order of their names
        if (name == "model")
            bundle.model = tensor.bytes;
        else
            bundle.inputs.push_back(tensor);
    if (bundle.model.empty()) throw ConfigError("a model of no bytes");
    return bundle;
}

}  // namespace edgeloop
