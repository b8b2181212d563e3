#include "edgeloop/deploy/circuit_export.hpp"

#include "deploy/crops.hpp"
#include "deploy/native_file.hpp"
#include "deploy/new_folder.hpp"

#include "edgeloop/accelerator/tools.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/inference/model_file.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

using accelerator::Circuit;
using accelerator::Record;

std::string native_bytes(CircuitRequest& request, const std::shared_ptr<const Dataset>& dataset) {
    if (!request.native_file.empty()) return read_file(request.native_file);
    StoredNetwork& network = request.network;
    if (dataset) {
        require_same_kind(network, dataset->catalogue(), request.data);
        if (network.targets.empty()) network.targets = dataset->catalogue().targets;
    }
    return native_file_of(network, network.targets);
}

Hardware hardware_of(const CircuitRequest& request, const inference::Graph& graph) {
    Hardware hardware = accelerator::hardware_of(graph);
    if (request.cycles) hardware.cycles = *request.cycles;
    if (!request.weights.empty()) hardware.weights = request.weights;
    if (!request.multipliers.empty()) hardware.multipliers = request.multipliers;
    return hardware;
}

std::vector<std::vector<std::uint8_t>> clips_of(const CircuitRequest& request,
                                                const Circuit& circuit,
                                                const std::shared_ptr<const Dataset>& dataset) {
    if (!dataset) return accelerator::sample_clips(circuit, request.clips);
    const Crops crops =
        recorded_crops(dataset, SplitPart::train, request.network.window(), request.clips);
    std::vector<std::vector<std::uint8_t>> clips;
    for (std::size_t i = 0; i < crops.count; ++i)
        clips.push_back(accelerator::clip_of_crops(circuit.graph, crops.window(i)));
    if (clips.empty()) throw ConfigError(fmt::format("'{}' has no training clips", request.data));
    return clips;
}

std::string resources_line(const Record& record, const accelerator::Part& part) {
    const accelerator::Resources &needs = record.resources, &has = part.has;
    return fmt::format(
        "{} of {} LUTs, {} of {} flip-flops, {} of {} RAM blocks, {} of {} multiplier "
        "blocks ({})\n",
        needs.lut, has.lut, needs.ff, has.ff, needs.ram, has.ram, needs.dsp, has.dsp,
        to_string(record.resources_origin));
}

std::string timing_line(const Record& record) {
    return fmt::format(
        "{} cycles from the last pixel to the answer ({}): {:.2f} us at {:.1f} MHz ({}); a clip "
        "every "
        "{} cycles\n",
        record.timing.latency,
        record.timing_origin == accelerator::Origin::simulated ? "simulated" : "by formula",
        record.latency_us(), record.clock_mhz, to_string(record.clock_origin),
        record.timing.interval);
}

std::string equality_line(const Record& record) {
    if (!record.outputs_equal) return "not simulated: run the test bench as the README says\n";
    return "simulated: all answers equal the integer reference\n";
}

}  // namespace

std::string export_circuit(const CircuitRequest& asked) {
    CircuitRequest request = asked;
    const accelerator::Part part = accelerator::part_named(request.part);
    std::shared_ptr<const Dataset> dataset;
    if (!request.data.empty()) dataset = std::make_shared<Dataset>(request.data);
    const std::string bytes = native_bytes(request, dataset);
    const inference::Graph graph = inference::decode_model(
        bytes, request.native_file.empty() ? "the network" : request.native_file);
    const Circuit circuit = accelerator::circuit_of(graph, hardware_of(request, graph), part);
    const auto clips = clips_of(request, circuit, dataset);
    NewFolder folder(request.output);
    accelerator::ToolLimits limits;
    limits.seconds = request.seconds;
    const Record record = accelerator::examine(
        circuit, clips, {request.simulate, request.synthesise, request.place}, limits);
    if (record.outputs_equal && !*record.outputs_equal)
        throw LogicError("the circuit's answers differ from the integer reference",
                         record.difference);
    const std::string costs =
        resources_line(record, part) + timing_line(record) + equality_line(record);
    for (const accelerator::TextOfFile& file :
         accelerator::folder_of(circuit, accelerator::test_vectors_of(circuit, clips), costs))
        folder.write(file.name, file.text);
    folder.write("network.elm", bytes);
    folder.write("record.json", accelerator::json_of(record, circuit).dump(2) + "\n");
    folder.commit();
    return fmt::format("{}: Verilog for {}\n{}", request.output, part.title, costs);
}

}  // namespace edgeloop
