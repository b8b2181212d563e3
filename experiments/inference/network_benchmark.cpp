// What whole networks take on the native runtime, in float32 and in few bits, beside what registers
// alone could do: network_benchmark SPEC... [--instructions NAME]. One thread. A JSON object a
// line.
#include "ceilings.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/networks.hpp"
#include "edgeloop/inference/session.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop::inference {
namespace {

/// The spec with these bits in all layers but the first and the last, which have 8. A network that
/// is quantised has the norm that folds.
ArchitectureSpec with_bits(const ArchitectureSpec& spec, int bits) {
    Json json = spec.to_json();
    json["architecture"]["norm"] = "affine";
    if (spec.family == "mbconv3d") json["architecture"]["activation"] = "relu";
    const Json low{{"weights", bits}, {"activations", bits}};
    const Json eight{{"weights", 8}, {"activations", 8}};
    Json stages = Json::array();
    const std::size_t count = json["architecture"]["stages"].size();
    for (std::size_t i = 0; i < count; ++i)
        stages.push_back(i == 0 && spec.family == "cnn3d" ? eight : low);
    json["quantisation"] = {{"stages", stages}, {"dense", low}};
    return ArchitectureSpec::from_json(json, "network_benchmark");
}

/// Multiply-adds, and the least seconds that they take from registers: those of few bits as
/// integers or as pairs of planes of bits.
struct Work {
    double products = 0, seconds = 0;
};

Work work_of(const Graph& graph, const Ceilings& ceilings) {
    const std::vector<TensorKind> kinds = kinds_of(graph);
    const auto seconds = [&](const char* what, double count) {
        const auto found = ceilings.find(what);
        return found == ceilings.end() ? HUGE_VAL : count / found->second;
    };
    Work work;
    for (std::size_t i = 0; i < graph.layers.size(); ++i) {
        const Layer& layer = graph.layers[i];
        const bool is_integer = layer.integer.weight_bits != 0;
        const std::size_t weights =
            is_integer ? layer.integer.weights.size() : layer.weights.size();
        const bool is_weighted = layer.operation == Operation::convolution ||
                                 layer.operation == Operation::depthwise ||
                                 layer.operation == Operation::linear;
        if (!is_weighted) continue;
        const double count = double(weights) * double(kinds[i + 1].shape.positions());
        const int bits = kinds[static_cast<std::size_t>(layer.input)].elements.bits;
        const bool is_odd = weight_step(layer.integer.weight_bits, layer.integer.grid) == 2;
        const int planes = (layer.integer.weight_bits - (is_odd ? 0 : 1)) * bits;
        work.products += count;
        work.seconds += !is_integer
                            ? seconds("float", count)
                            : std::min(seconds("integers", count), seconds("bits", count * planes));
    }
    return work;
}

struct Entry {
    std::string network, form;
    std::unique_ptr<Session> session;
    std::vector<float> clip, result;
    std::vector<double> times;
    Work work;

    double run() {
        const auto start = std::chrono::steady_clock::now();
        session->run(clip.data(), result.data());
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
};

Entry entry_of(const std::string& network, const std::string& form, const ArchitectureSpec& spec,
               Instructions instructions, const Ceilings& ceilings) {
    Entry entry;
    entry.network = network;
    entry.form = form;
    Graph graph = random_graph_of(spec);
    entry.work = work_of(graph, ceilings);
    entry.clip.assign(static_cast<std::size_t>(graph.input.elements()), 0.1F);
    SessionOptions options;
    options.instructions = instructions;
    entry.session = std::make_unique<Session>(std::move(graph), options);
    entry.result.resize(static_cast<std::size_t>(entry.session->outputs()));
    return entry;
}

/// Forms take turns, so that a change of the machine meets all of them.
void measure(std::vector<Entry>& entries, double seconds) {
    for (Entry& entry : entries) (void)entry.run();
    const auto start = std::chrono::steady_clock::now();
    const auto passed = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    while (entries.front().times.size() < 5 || passed() < seconds)
        for (Entry& entry : entries) {
            double took = 0;
            do {
                entry.times.push_back(entry.run());
                took += entry.times.back();
            } while (took < 0.01);
        }
}

void print(Entry& entry, Instructions instructions) {
    std::sort(entry.times.begin(), entry.times.end());
    const Json line{
        {"network", entry.network},
        {"form", entry.form},
        {"instructions", to_string(instructions)},
        {"mmac", entry.work.products / 1e6},
        {"ms", 1e3 * entry.times[entry.times.size() / 2]},
        {"ceiling_ms", std::isfinite(entry.work.seconds) ? Json(1e3 * entry.work.seconds) : Json()},
        {"kernels", entry.session->kernels()}};
    fmt::print("{}\n", line.dump());
    std::fflush(stdout);
}

int run(const std::vector<std::string>& specs, Instructions instructions) {
    const Ceilings ceilings = ceilings_of(instructions);
    for (const std::string& name : specs) {
        const ArchitectureSpec spec = ArchitectureSpec::from_file(name);
        std::vector<Entry> entries;
        const auto add = [&](const std::string& form, const ArchitectureSpec& of) {
            entries.push_back(entry_of(name, form, of, instructions, ceilings));
        };
        if (!native_problem(spec)) add("float", spec);
        for (const int bits : {8, 4, 2, 1})
            add(fmt::format("W{}A{}", bits, bits), with_bits(spec, bits));
        measure(entries, 3);
        for (Entry& entry : entries) print(entry, instructions);
    }
    return 0;
}

}  // namespace
}  // namespace edgeloop::inference

int main(int argc, char** argv) {
    using namespace edgeloop::inference;
    try {
        std::vector<std::string> specs(argv + 1, argv + argc);
        Instructions instructions = best_instructions();
        const auto option = std::find(specs.begin(), specs.end(), "--instructions");
        if (option != specs.end() && option + 1 != specs.end()) {
            instructions = instructions_from(option[1]);
            specs.erase(option, option + 2);
        }
        return run(specs, instructions);
    } catch (const edgeloop::Error& error) {
        fmt::print(stderr, "network_benchmark: {}\n", error.what());
        return 2;
    }
}
