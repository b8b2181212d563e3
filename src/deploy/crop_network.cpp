#include "deploy/crop_network.hpp"

#include "edgeloop/preprocessing/frames.hpp"

#include <torch/torch.h>

namespace edgeloop {

CropNetwork::CropNetwork(std::shared_ptr<Network> network, const ClipShape& clip,
                         const std::vector<Target>& targets)
    : network_(register_module("network", std::move(network))), clip_(clip) {
    const torch::NoGradGuard no_grad;
    // Of the last layer, which is registered last: weight before bias.
    const std::vector<torch::Tensor> parameters = network_->parameters();
    for (std::size_t i = 0; i < targets.size(); ++i)
        for (std::size_t each = parameters.size() - 2; each < parameters.size(); ++each)
            parameters[each][static_cast<std::int64_t>(i)].mul_(targets[i].scale);
}

torch::Tensor CropNetwork::forward(const torch::Tensor& crops) {
    const double scale = 1 / (255 * clip_.deviation), offset = -clip_.mean / clip_.deviation;
    const auto normalised = [&](const torch::Tensor& x) { return x.mul(scale).add(offset); };
    const auto resized = [&](const torch::Tensor& x) {
        return clip_.side == crop_side
                   ? x
                   : torch::upsample_bilinear2d(x, {clip_.side, clip_.side}, false);
    };
    const torch::Tensor grey = crops.to(torch::kFloat);
    // Normalisation is linear and takes the smaller images.
    const torch::Tensor clips =
        clip_.side > crop_side ? resized(normalised(grey)) : normalised(resized(grey));
    return network_->forward(clips.unsqueeze(1));
}

}  // namespace edgeloop
