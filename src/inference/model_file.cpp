#include "edgeloop/inference/model_file.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/little_endian.hpp"

#include <cstring>
#include <type_traits>

#include <fmt/format.h>

namespace edgeloop::inference {
namespace {

constexpr EnvelopeFormat format{"ELMF", 1};
constexpr std::uint64_t file_limit = std::uint64_t{1} << 31;

// One walk over the fields for both directions: a Writer appends them, a Reader fills them.

class Writer {
  public:
    static constexpr bool reads = false;

    template <class T>
    void number(const T& value) {
        if constexpr (std::is_same_v<T, float>) {
            std::uint32_t bits = 0;
            std::memcpy(&bits, &value, sizeof bits);
            put_little_endian(bytes_, bits);
        } else {
            put_little_endian(bytes_, static_cast<std::make_unsigned_t<T>>(value));
        }
    }
    /// As many bytes as follow.
    void text(const std::string& text) {
        number(static_cast<std::uint32_t>(text.size()));
        bytes_ += text;
    }
    template <class T>
    std::size_t count(const std::vector<T>& items, std::size_t /*bits of each*/) {
        number(static_cast<std::uint32_t>(items.size()));
        return items.size();
    }
    /// Numbers below 2^bits one after the other, the lowest bit first; the last byte is filled up.
    template <class At>
    void packed(std::size_t count, int bits, const At& at) {
        unsigned buffer = 0;
        int used = 0;
        for (std::size_t i = 0; i < count; ++i) {
            buffer |= at(i) << used;
            for (used += bits; used >= 8; used -= 8, buffer >>= 8U)
                bytes_.push_back(static_cast<char>(buffer & 0xffU));
        }
        if (used > 0) bytes_.push_back(static_cast<char>(buffer & 0xffU));
    }
    [[nodiscard]] std::string take() { return std::move(bytes_); }

  private:
    std::string bytes_;
};

class Reader {
  public:
    static constexpr bool reads = true;

    Reader(std::string_view bytes, const std::string& where) : left_(bytes), where_(where) {}

    template <class T>
    void number(T& value) {
        require(left_.size() >= sizeof(T), "it ends too early");
        if constexpr (std::is_same_v<T, float>) {
            const auto bits = get_little_endian<std::uint32_t>(left_);
            std::memcpy(&value, &bits, sizeof value);
        } else {
            value = static_cast<T>(get_little_endian<std::make_unsigned_t<T>>(left_));
        }
        left_.remove_prefix(sizeof(T));
    }
    void text(std::string& text) {
        std::uint32_t size = 0;
        number(size);
        require(size <= left_.size(), "it ends too early");
        text = left_.substr(0, size);
        left_.remove_prefix(size);
    }
    /// Makes room for as many as there are.
    template <class T>
    std::size_t count(std::vector<T>& items, std::size_t bits) {
        std::uint32_t size = 0;
        number(size);
        require(std::uint64_t{size} * bits <= std::uint64_t{left_.size()} * 8, "it ends too early");
        items.resize(size);
        return size;
    }
    template <class Take>
    void unpacked(std::size_t count, int bits, const Take& take) {
        unsigned buffer = 0;
        int used = 0;
        std::size_t next = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (used < bits) {
                buffer |= unsigned{static_cast<unsigned char>(left_[next++])} << used;
                used += 8;
            }
            take(i, buffer & ((1U << bits) - 1));
            buffer >>= static_cast<unsigned>(bits);
            used -= bits;
        }
        require(buffer == 0, "bits that should be 0 are not");
        left_.remove_prefix(next);
    }
    void end() const { require(left_.empty(), "more follows than it says"); }
    void require(bool holds, const char* what) const {
        if (!holds) throw CorruptState(where_ + ": this model file is broken", what);
    }

  private:
    std::string_view left_;
    const std::string& where_;
};

template <class Stream, class Item>
void numbers(Stream& stream, Item& items) {
    const std::size_t count = stream.count(items, 8 * sizeof(items[0]));
    for (std::size_t i = 0; i < count; ++i) stream.number(items[i]);
}

template <class Stream, class Enum>
void choice(Stream& stream, Enum& value) {
    auto number = static_cast<std::uint8_t>(value);
    stream.number(number);
    if constexpr (Stream::reads) value = static_cast<std::remove_const_t<Enum>>(number);
}

template <class Stream, class Layer_>
void integer_weights(Stream& stream, Layer_& integer) {
    const int bits = integer.weight_bits;
    const WeightGrid grid = integer.grid;
    auto& weights = integer.weights;
    const std::size_t count = stream.count(weights, static_cast<std::size_t>(bits));
    if constexpr (Stream::reads)
        stream.unpacked(count, bits, [&](std::size_t i, unsigned code) {
            weights[i] = static_cast<std::int16_t>(weight_of_code(code, bits, grid));
        });
    else
        stream.packed(count, bits,
                      [&](std::size_t i) { return code_of_weight(weights[i], bits, grid); });
}

template <class Stream, class Quantisation_>
void walk_integer(Stream& stream, Quantisation_& integer) {
    stream.number(integer.weight_bits);
    if constexpr (Stream::reads)
        stream.require(integer.weight_bits == 0 || is_weight_bits(integer.weight_bits),
                       "it has weights of unknown bits");
    if (integer.weight_bits == 0) return;
    choice(stream, integer.grid);
    if constexpr (Stream::reads)
        stream.require(integer.grid <= WeightGrid::odd, "it has weights of an unknown grid");
    integer_weights(stream, integer);
    numbers(stream, integer.bias);
    stream.number(integer.output_bits);
    constexpr std::size_t ratio_bits = 8 * (sizeof(std::int32_t) + sizeof(std::int32_t));
    const std::size_t ratios = stream.count(integer.ratios, ratio_bits);
    for (std::size_t i = 0; i < ratios; ++i) {
        stream.number(integer.ratios[i].multiplier);
        stream.number(integer.ratios[i].shift);
    }
    numbers(stream, integer.residual);
    numbers(stream, integer.scales);
}

template <class Stream, class Layer_>
void walk_layer(Stream& stream, Layer_& layer) {
    choice(stream, layer.operation);
    choice(stream, layer.activation);
    stream.number(layer.input);
    stream.number(layer.second);
    stream.number(layer.outputs);
    for (auto* triple : {&layer.kernel, &layer.stride, &layer.before, &layer.after})
        for (auto& extent : *triple) stream.number(extent);
    stream.number(layer.groups);
    stream.number(layer.epsilon);
    stream.number(layer.scale);
    stream.number(layer.bits);
    numbers(stream, layer.weights);
    numbers(stream, layer.bias);
    walk_integer(stream, layer.integer);
}

template <class Stream, class Graph_>
void walk(Stream& stream, Graph_& graph, std::string& metadata) {
    stream.text(metadata);
    stream.number(graph.input.channels);
    for (auto& extent : graph.input.grid) stream.number(extent);
    stream.number(graph.input_elements.bits);
    stream.number(graph.input_elements.zero);
    // Of a layer without any weights.
    constexpr std::size_t least_bits = 8 * 90;
    const std::size_t layers = stream.count(graph.layers, least_bits);
    for (std::size_t i = 0; i < layers; ++i) walk_layer(stream, graph.layers[i]);
}

}  // namespace

std::string encode_model(const Graph& graph) {
    (void)kinds_of(graph);
    Writer writer;
    std::string metadata = graph.metadata.dump();
    walk(writer, graph, metadata);
    return seal(format, {0, 0, writer.take()});
}

Graph decode_model(std::string_view bytes, const std::string& where) {
    const Envelope envelope = open_envelope(format, bytes, where);
    Reader reader(envelope.payload, where);
    Graph graph;
    std::string metadata;
    walk(reader, graph, metadata);
    reader.end();
    graph.metadata = parse_json(metadata, where);
    try {
        (void)kinds_of(graph);
    } catch (const ConfigError& error) {
        throw ConfigError(where + ": " + error.problem(), error.why());
    }
    return graph;
}

Graph read_model(const std::string& path) {
    return decode_model(read_file(path, file_limit), path);
}

}  // namespace edgeloop::inference
