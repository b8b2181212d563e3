// Networks of all pairs of bits as QONNX files, with clips and what the integer network gives for
// them: write_qonnx FOLDER. check_qonnx.py runs them.
#include "low_designs.hpp"
#include "model/native_graph.hpp"
#include "model/qonnx.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/inference/session.hpp"

#include <filesystem>
#include <string>

namespace edgeloop {
namespace {

std::string bytes_of(const torch::Tensor& floats) {
    const torch::Tensor plain = floats.to(torch::kFloat).contiguous();
    return {static_cast<const char*>(plain.data_ptr()), plain.nbytes()};
}

void write(const std::string& folder, const std::string& name, const ArchitectureSpec& spec,
           std::uint64_t seed) {
    const test::LowNetwork low(spec, seed);
    const inference::Graph graph = native_graph(spec, *low.network);
    inference::Session session(graph);
    torch::Tensor results = torch::empty({low.grey.size(0), session.outputs()});
    for (int i = 0; i < results.size(0); ++i)
        session.run(low.grey[i].data_ptr<std::uint8_t>(), results[i].data_ptr<float>());
    const std::string path = (std::filesystem::path(folder) / name).string();
    write_file_atomic(path + ".onnx", qonnx_of(graph, spec.family, 1, {{"spec", name}}));
    write_file_atomic(path + ".input", bytes_of(low.clips));
    write_file_atomic(path + ".expected", bytes_of(results));
}

int run(const std::string& folder) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    RandomStream random(1, "qonnx");
    for (int weights = 1; weights <= 8; ++weights)
        for (const int activations : {1, 2, 4, 8}) {
            const bool is_mbconv = random.chance(0.5);
            const std::string name = "w" + std::to_string(weights) + "a" +
                                     std::to_string(activations) +
                                     (is_mbconv ? "-mbconv3d" : "-cnn3d");
            write(folder, name,
                  test::random_low_design(
                      random, {{"weights", weights}, {"activations", activations}}, is_mbconv),
                  random.next_u64());
        }
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) { return argc == 2 ? edgeloop::run(argv[1]) : 2; }
