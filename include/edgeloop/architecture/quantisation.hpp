#pragma once

#include "edgeloop/architecture/field.hpp"

#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// Bits of a layer's weights, and of the activations that it reads. 32: float32.
struct Bits {
    static constexpr int none = 32;

    int weights = 8;
    int activations = 8;

    [[nodiscard]] std::vector<Field> fields();
    [[nodiscard]] bool is_float() const { return weights == none && activations == none; }
    /// Arithmetic of one multiply-add, in products of single bits.
    [[nodiscard]] double product() const { return 1.0 * weights * activations; }
    [[nodiscard]] bool operator==(const Bits& other) const {
        return weights == other.weights && activations == other.activations;
    }
};

constexpr Bits float_bits{Bits::none, Bits::none};

/// Which layers a family has besides its stages.
struct LayerGroups {
    std::size_t stages = 0;
    bool has_first = false;  ///< a layer before the stages
    bool has_dense = false;  ///< layers between the stages and the output
};

/// The bits of a network's layers, and how they are learnt. Without stages: float32 throughout.
struct Quantisation {
    std::string quantiser = "lsq";
    double float_share = 0.5;
    Bits first;
    std::vector<Bits> stages;
    Bits dense;
    Bits last;

    [[nodiscard]] std::vector<Field> fields();
    [[nodiscard]] bool is_float() const { return stages.empty(); }
    /// float_bits in a network of float32.
    [[nodiscard]] Bits of_first() const { return is_float() ? float_bits : first; }
    [[nodiscard]] Bits of_stage(std::size_t i) const { return is_float() ? float_bits : stages[i]; }
    [[nodiscard]] Bits of_dense() const { return is_float() ? float_bits : dense; }
    [[nodiscard]] Bits of_last() const { return is_float() ? float_bits : last; }
    /// Of the layer that a module of cnn3d or mbconv3d of this name is, e.g. "stages.1.conv".
    /// @param dense_reads_features  the mean of "features" is read by a dense layer, not the last
    /// one.
    [[nodiscard]] Bits of_module(const std::string& name, bool dense_reads_features) const;
    /// Whether the steps of these weights are parameters, one for each output channel. Of 1 bit the
    /// mean magnitude is the best under both quantisers.
    [[nodiscard]] bool learns_steps(const Bits& bits) const {
        return bits.weights != Bits::none && !has_odd_weights(bits);
    }
    /// Whether weights are odd numbers of half steps, none of them 0: VecQ's grid, and any of 1
    /// bit. Else they are whole numbers of steps.
    [[nodiscard]] bool has_odd_weights(const Bits& bits) const {
        return quantiser == "vecq" || bits.weights == 1;
    }
    /// First epoch whose steps are those of the quantised network, counted from 0; there is at
    /// least one such epoch.
    [[nodiscard]] int first_epoch(int epochs) const;
    /// Why these bits do not fit a network of these layers, or nothing.
    [[nodiscard]] std::optional<std::string> problem(const LayerGroups& groups) const;
    /// Gives what has no effect in such a network its default, so that equal networks are equal;
    /// becomes the float32 network that bits of 32 throughout describe.
    void settle(const LayerGroups& groups);
};

/// @throws ConfigError  unknown keys, values out of range, or numbers of bits that nothing runs on;
/// with the place.
[[nodiscard]] Quantisation quantisation_from(const Json& json, const Place& place);
/// The object with every key.
[[nodiscard]] Json to_json(Quantisation quantisation);

}  // namespace edgeloop
