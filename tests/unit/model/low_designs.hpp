#pragma once

#include "lively_network.hpp"
#include "model/network.hpp"
#include "model/rounding.hpp"
#include "specs.hpp"

#include "edgeloop/core/random_stream.hpp"

#include <cstdint>
#include <initializer_list>
#include <memory>

#include <torch/torch.h>

namespace edgeloop::test {

inline int one_of(RandomStream& random, std::initializer_list<int> values) {
    return values.begin()[random.below(values.size())];
}

inline Json random_bits(RandomStream& random) {
    return {{"weights", 1 + int(random.below(8))},
            {"activations", one_of(random, {1, 2, 3, 4, 8})}};
}

/// A small network of which a stage has these bits, and other layers any.
inline ArchitectureSpec random_low_design(RandomStream& random, const Json& bits, bool is_mbconv) {
    ArchitectureSpec spec = is_mbconv ? small_mbconv3d(4, 9) : small_cnn3d(4, 11);
    Json& stages = spec.architecture["stages"];
    for (Json& stage : stages) {
        stage["channels"] = one_of(random, {3, 5, 8});
        stage["kernel"] = {one_of(random, {1, 3}), one_of(random, {1, 2, 3}), 3};
        if (is_mbconv) {
            stage["squeeze"] = 0;
            stage["repeats"] = one_of(random, {1, 2});
        } else {
            stage["pool"] = {one_of(random, {1, 2}), 2, one_of(random, {1, 3})};
        }
    }
    if (is_mbconv) {
        spec.architecture["norm"] = "affine";
        spec.architecture["activation"] = "relu";
    } else {
        spec.architecture["norm"] = random.chance(0.3)   ? "none"
                                    : random.chance(0.3) ? "frozen"
                                                         : "affine";
        spec.architecture["reduce"] = random.chance(0.5) ? "mean" : "flatten";
        if (random.chance(0.3)) spec.architecture["hidden"] = Json::array();
    }
    Json json = spec.to_json();
    Json of_clip = random_bits(random);
    of_clip["activations"] = 8;  // grey values
    Json of_stages = Json::array({is_mbconv ? random_bits(random) : of_clip, bits});
    json["quantisation"] = {{"quantiser", random.chance(0.5) ? "lsq" : "vecq"},
                            {"first", of_clip},
                            {"stages", of_stages},
                            {"dense", random_bits(random)},
                            {"last", random_bits(random)}};
    if (!is_mbconv) json["quantisation"].erase("first");
    return ArchitectureSpec::from_json(json, "test");
}

/// A network of such a design in float64, with steps that suit what its layers read, and clips of
/// whole grey values.
struct LowNetwork {
    LowNetwork(const ArchitectureSpec& spec, std::uint64_t seed)
        : network(lively_network(spec, seed)) {
        const torch::NoGradGuard no_grad;
        network->to(torch::kDouble);
        const auto [frames, side] = std::pair(spec.clip.frames, spec.clip.side);
        grey = torch::randint(0, 256, {3, 1, frames, side, side}).to(torch::kByte);
        clips = (grey.to(torch::kDouble) / 255 - spec.clip.mean) / spec.clip.deviation;
        set_rounding(*network, Rounding::observed);
        (void)network->forward(clips);
        start_steps(*network, observations(*network));
        set_rounding(*network, Rounding::on);
        // A map and its mean begin with the same step, between which halves are frequent.
        for (auto& parameter : network->named_parameters())
            if (is_step(parameter.key()))
                parameter.value().add_(0.05 * torch::randn_like(parameter.value()));
    }
    std::shared_ptr<Network> network;
    torch::Tensor grey, clips;  ///< (3, 1, frames, side, side), uint8 and float64
};

}  // namespace edgeloop::test
