#include "onnx_check.hpp"

#include "runtime.hpp"

#include "edgeloop/core/text.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int deepest = 32;

[[noreturn]] void refuse(const std::string& what) {
    throw NetworkError("this ONNX model is refused: " + what);
}

/// One field of a protobuf message.
struct Field {
    std::uint32_t number;
    std::uint64_t value = 0;                     ///< of a varint
    std::optional<std::string_view> bytes = {};  ///< text, or a message
};

/// Reads the fields of a message, one after the other.
class Fields {
  public:
    explicit Fields(std::string_view message) : left_(message) {}

    std::optional<Field> next() {
        if (left_.empty()) return std::nullopt;
        enum WireType : unsigned { varint = 0, eight_bytes = 1, sized = 2, four_bytes = 5 };
        const std::uint64_t tag = number();
        Field field{static_cast<std::uint32_t>(tag >> 3U)};
        if (tag >> 32U != 0 || field.number == 0) refuse("it is no message of protobuf");
        switch (tag & 7U) {
            case varint:
                field.value = number();
                break;
            case eight_bytes:
                (void)take(8);
                break;
            case four_bytes:
                (void)take(4);
                break;
            case sized:
                field.bytes = take(number());
                break;
            default:
                refuse("it is no message of protobuf");
        }
        return field;
    }

  private:
    std::uint64_t number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1).front());
            value |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80) return value;
        }
        refuse("it is no message of protobuf");
    }
    std::string_view take(std::uint64_t size) {
        if (size > left_.size()) refuse("it ends too early");
        const std::string_view taken = left_.substr(0, static_cast<std::size_t>(size));
        left_.remove_prefix(taken.size());
        return taken;
    }

    std::string_view left_;
};

void check_domain(std::string_view domain) {
    if (domain.empty() || domain == "ai.onnx") return;
    constexpr std::size_t shown = 64;
    refuse(fmt::format("it has operators of '{}', and only ONNX's own are run",
                       printable(beginning(domain, shown))));
}

// Numbers of onnx.proto3. A message that is there twice is as if both were one, so each is checked.

void check_tensor(std::string_view message) {
    constexpr std::uint32_t external_data = 13, data_location = 14;
    for (Fields fields(message); const auto field = fields.next();)
        if (field->number == external_data ||
            (field->number == data_location && (field->value != 0 || field->bytes)))
            refuse("values of it lie in another file");
}

void check_sparse_tensor(std::string_view message) {
    constexpr std::uint32_t values = 1, indices = 2;
    for (Fields fields(message); const auto field = fields.next();)
        if ((field->number == values || field->number == indices) && field->bytes)
            check_tensor(*field->bytes);
}

void check_graph(std::string_view message, int depth);

void check_attribute(std::string_view message, int depth) {
    constexpr std::uint32_t tensor = 5, graph = 6, tensors = 10, graphs = 11, sparse_tensor = 22,
                            sparse_tensors = 23;
    for (Fields fields(message); const auto field = fields.next();) {
        if (!field->bytes) continue;
        switch (field->number) {
            case tensor:
            case tensors:
                check_tensor(*field->bytes);
                break;
            case graph:
            case graphs:
                check_graph(*field->bytes, depth + 1);
                break;
            case sparse_tensor:
            case sparse_tensors:
                check_sparse_tensor(*field->bytes);
                break;
            default:
                break;
        }
    }
}

void check_node(std::string_view message, int depth) {
    constexpr std::uint32_t attribute = 5, domain = 7;
    for (Fields fields(message); const auto field = fields.next();) {
        if (!field->bytes) continue;
        if (field->number == domain) check_domain(*field->bytes);
        if (field->number == attribute) check_attribute(*field->bytes, depth);
    }
}

void check_graph(std::string_view message, int depth) {
    if (depth > deepest) refuse(fmt::format("its graphs are nested deeper than {}", deepest));
    constexpr std::uint32_t node = 1, initialiser = 5, sparse_initialiser = 15;
    for (Fields fields(message); const auto field = fields.next();) {
        if (!field->bytes) continue;
        if (field->number == node) check_node(*field->bytes, depth);
        if (field->number == initialiser) check_tensor(*field->bytes);
        if (field->number == sparse_initialiser) check_sparse_tensor(*field->bytes);
    }
}

void check_operator_set(std::string_view message) {
    constexpr std::uint32_t domain = 1;
    for (Fields fields(message); const auto field = fields.next();)
        if (field->number == domain && field->bytes) check_domain(*field->bytes);
}

}  // namespace

void check_onnx(std::string_view model) {
    constexpr std::uint32_t graph = 7, operator_set = 8, training = 20, function = 25;
    bool has_graph = false;
    for (Fields fields(model); const auto field = fields.next();) {
        if (field->number == training) refuse("it has training steps");
        if (field->number == function) refuse("it has functions of its own");
        if (!field->bytes) continue;
        if (field->number == operator_set) check_operator_set(*field->bytes);
        if (field->number != graph) continue;
        check_graph(*field->bytes, 1);
        has_graph = true;
    }
    if (!has_graph) refuse("it has no graph");
}

}  // namespace edgeloop
