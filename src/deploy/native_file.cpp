#include "deploy/native_file.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/inference/crop_model.hpp"
#include "edgeloop/inference/model_file.hpp"
#include "edgeloop/model/native.hpp"

namespace edgeloop {

std::string native_file_of(const StoredNetwork& network, const std::vector<Target>& targets) {
    inference::Graph graph = native_graph(network.spec, network.weights_file);
    Json list = Json::array();
    for (const Target& target : targets)
        list.push_back({{"name", target.name}, {"unit", target.unit}, {"scale", target.scale}});
    graph.metadata["targets"] = list;
    graph.metadata["program"] = version();
    if (!network.weights_file.empty())
        graph.metadata["weights"] = digest(read_file(network.weights_file)).hex();
    return inference::encode_model(graph);
}

FileRunner native_runner(const std::string& bytes) {
    const auto model =
        std::make_shared<inference::CropModel>(inference::decode_model(bytes, "the file"));
    std::vector<double> scales;
    for (const inference::OutputTarget& target : model->targets()) scales.push_back(target.scale);
    return [model, scales](const torch::Tensor& input) {
        const torch::Tensor plain = input.contiguous();
        const std::int64_t count = plain.size(0);
        const auto targets = static_cast<std::int64_t>(scales.size());
        torch::Tensor results = torch::empty({count, targets});
        const bool are_crops = plain.scalar_type() == torch::kByte;
        for (std::int64_t i = 0; i < count; ++i) {
            float* const values = results.data_ptr<float>() + i * targets;
            if (are_crops)
                model->run(plain[i].data_ptr<std::uint8_t>(), values);
            else
                model->run_clip(plain[i].data_ptr<float>(), values);
        }
        if (!are_crops) results = results / torch::tensor(scales, torch::kFloat32);
        return std::vector<torch::Tensor>{results};
    };
}

std::string native_runtime_name() {
    return std::string("edgeloop's runtime with ") +
           inference::to_string(inference::best_instructions());
}

}  // namespace edgeloop
