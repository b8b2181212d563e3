#include "adapt_command.hpp"
#include "agent.hpp"
#include "measuring_child.hpp"
#include "result_json.hpp"
#include "run_command.hpp"
#include "runtime.hpp"
#include "sandbox.hpp"
#include "simulated_hardware.hpp"
#include "system_files.hpp"

#include "edgeloop/cli/edge_options.hpp"
#include "edgeloop/core/access.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/temporary_folder.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/ranges.h>
#include <sched.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr const char* child_command = "measuring-process";  // hidden
constexpr int answer_fd = 3;

/// Cores that this process may be pinned to, ascending: those of the machine, or what a container
/// has of them.
std::vector<int> usable_cores() {
    std::vector<int> before = allowed_cpus();
    if (before.empty()) throw IoError("cannot tell which cores there are", std::strerror(errno));
    std::vector<int> all(CPU_SETSIZE);
    std::iota(all.begin(), all.end(), 0);
    if (!pin_to_cpus(all)) return before;
    all = allowed_cpus();  // the kernel leaves of a wish what can be had
    (void)pin_to_cpus(before);
    return all;
}

/// @throws ConfigError  names the first core that is not there, and those that are.
void require_cores(const std::vector<int>& cores) {
    if (cores.empty()) return;
    const std::vector<int> usable = usable_cores();
    for (const int core : cores)
        if (!std::binary_search(usable.begin(), usable.end(), core))
            throw ConfigError(fmt::format("--cores: core {} is not there", core),
                              fmt::format("this process may use {}", fmt::join(usable, ", ")),
                              "choose from those");
}

/// Where answers of simulated hardware are kept; empty: nowhere.
std::string cache_folder(const std::string& given) {
    if (given == "none") return {};
    if (!given.empty()) return std::filesystem::absolute(given);  // it is used in another folder
    try {
        return own_lock_folder() + "/simulated";
    } catch (const ConfigError&) {
        return {};  // a user without any folder of his own
    }
}

ProcessOptions process_options(const cli::DeviceSettings& device) {
    require_cores(device.cores);
    ProcessOptions options;
    options.command = {own_program(), child_command};
    options.cores = device.cores;
    options.weights_folder = device.weights_folder;
    options.memory_limit_mib = device.memory_limit_mib;
    options.time_limit_s = device.time_limit_s;
    options.patience = device.patience;
    options.sandbox = SandboxSettings::of(device.sandbox, device.sandbox_user);
    options.simulation.part = device.part;
    options.simulation.cache = cache_folder(device.cache);
    return options;
}

/// What it delivers of simulated hardware, and of a device of one runtime that alone.
void add_deliverables(const cli::DeviceSettings& device, Json& delivers) {
    Json circuits = simulated_hardware(device.part);
    Json& runtimes = delivers.at("runtimes");
    if (!circuits.contains("problem")) runtimes.push_back(simulated_runtime);
    delivers[simulated_runtime] = std::move(circuits);
    if (!device.runtime.empty()) runtimes = Json::array({device.runtime});
}

Json record_of(const cli::DeviceSettings& device) {
    const SystemFiles system;
    const Json runtimes = describe_runtimes();
    std::string device_class = device.device_class;
    if (device_class.empty())
        device_class = device.runtime == simulated_runtime ? "rtl-" + device.part
                                                           : default_device_class(system, runtimes);
    Json record = device_record(system, device.name, device_class, runtimes);
    add_deliverables(device, record.at("delivers"));
    return record;
}

/// What a device is that is not all that this machine can be. @throws ConfigError, IoError.
void check_kind(const cli::DeviceSettings& device) {
    std::vector<std::string> known = runtime_names();
    known.emplace_back(simulated_runtime);
    const std::string& runtime = device.runtime;
    if (!runtime.empty() && std::find(known.begin(), known.end(), runtime) == known.end())
        throw ConfigError(fmt::format("--runtime: this agent has no runtime '{}'", runtime), {},
                          fmt::format("it has {}", fmt::join(known, ", ")));
    if (runtime == simulated_runtime || !device.part.empty()) require_part(device.part, "--part");
    if (runtime != simulated_runtime) return;
    const Json circuits = simulated_hardware(device.part);
    if (circuits.contains("problem"))
        throw IoError("circuits cannot be simulated here", circuits.at("problem"));
}

/// Formats by name, separated by commas; or "none".
std::set<std::string> accepted_formats(const std::string& text) {
    std::set<std::string> formats;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) formats.insert(part);
    if (formats == std::set<std::string>{"none"}) return {};
    std::set<std::string> known;
    for (const ModelFileFormat format : model_file_formats) known.insert(name_of(format));
    if (formats.empty() ||
        !std::includes(known.begin(), known.end(), formats.begin(), formats.end()))
        throw ConfigError(fmt::format("--accept: '{}' are no formats", printable(text)), {},
                          fmt::format("name some of {}, or none", fmt::join(known, ",")));
    return formats;
}

/// Why a device that accepts such formats does not take a model; empty: it does.
std::string refusal_of(const ModelJob& model, const std::set<std::string>& accepted) {
    const char* const name = name_of(model.format);
    if (accepted.count(name) != 0) return {};
    const std::string all =
        fmt::format("{}{}{}", fmt::join(accepted, ","), accepted.empty() ? "" : ",", name);
    return model.format == ModelFileFormat::torchscript
               ? fmt::format(
                     "this device measures no TorchScript files of others: they are code "
                     "(its operator allows them with serve --accept {})",
                     all)
               : fmt::format("this device measures no {} files of others (serve --accept {})", name,
                             all);
}

int serve_command(int argc, const char* const* argv) {
    hide_memory();  // it will have the key
    ServeOptions options;
    cli::LinkSettings way;
    cli::DeviceSettings device;
    std::string log_level = "info";
    cli::OptionParser parser("edgeloop-edge serve",
                             "Takes measuring jobs from a bridge or a search until it is stopped.");
    way.add_to(parser);
    device.add_to(parser);
    parser.add("weights-folder", &device.weights_folder,
               "folder of safetensors files that jobs may name with --weights");
    std::string accept = "onnx,native";
    parser.add("accept", &accept,
               "models in files that are measured for others: some of onnx, native and torchscript "
               "(which is code), separated by commas, or none");
    parser.add("runtime", &device.runtime,
               "take only jobs of this runtime, e.g. rtl: simulated hardware; default: of all that "
               "are there");
    parser.add(
        "part", &device.part,
        "gate array that this device simulates, e.g. zynq7020; its class is then rtl-PART by "
        "default; with --runtime rtl it has to be given");
    parser.group("Drift");
    parser.add("reference-every", &options.drift.every,
               "measure a small reference network every this many jobs, to detect drift; 0: never",
               between(0, 12));
    parser.add("reference-threshold", &options.drift.threshold,
               "relative change of its latency above which jobs are measured again, e.g. 0.1",
               more_than(0));
    parser.group("Process");
    parser.add("parent", &options.parent, "process id of the parent: end when it ends");
    parser.add("turns-file", &options.turns_file,
               "lock file by which trainings on this machine pause during a measurement");
    cli::add_log_level(parser, log_level);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    way.check();
    device.check();
    check_kind(device);
    const std::set<std::string> accepted = accepted_formats(accept);
    log::configure(log::level_from(log_level));
    install_stop_handlers();
    limit_stopping();
    options.process = process_options(device);
    const Json record = record_of(device);
    AgentOptions& link = options.link;
    static_cast<BridgeAddress&>(link) = way.address;
    link.name = device.name;
    link.device_class = record.at("class");
    link.record = record.dump();
    options.process.device_class = link.device_class;
    const TemporaryFolder folder, work("", 0711);
    options.process.simulation.work = work.path();
    options.runtime = device.runtime;
    link.files_folder = folder.path() + "/models";
    link.refusal = [&accepted](const ModelJob& model) { return refusal_of(model, accepted); };
    log::info("device '{}', class {}", link.name, link.device_class);
    serve(options);
    return 0;
}

int measure_command(int argc, const char* const* argv) {
    cli::MeasurementChoice choice;
    cli::DeviceSettings device;
    bool json = false;
    cli::OptionParser parser("edgeloop-edge measure", "Measures one network on this device.");
    choice.add_to(parser);
    cli::add_json(parser, json);
    device.add_to(parser);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    const std::filesystem::path weights = choice.settings.weights;
    device.weights_folder = weights.has_parent_path() ? weights.parent_path() : ".";
    choice.settings.weights = weights.filename();
    choice.check();
    device.check();
    log::configure(log::level_from("warning"));
    install_stop_handlers();
    limit_stopping();
    const MeasurementJob job = choice.job("");
    const auto stop = [] { return stop_signal() != 0; };
    ProcessOptions options = process_options(device);
    options.device_class = record_of(device).at("class");
    const TemporaryFolder work("", 0711);
    options.simulation.work = work.path();
    MeasuringProcess process(options);
    if (device.sandbox == "require") (void)process.sandbox(false, stop);
    const MeasurementResult result = process.measure(job, stop, choice.files);
    if (result.status != Status::completed)
        throw ConfigError(fmt::format("'{}' could not be measured", choice.name()), result.reason);
    cli::print_result(choice, result, json, result_to_json(result));
    return 0;
}

int info_command(int argc, const char* const* argv) {
    cli::DeviceSettings device;
    cli::OptionParser parser("edgeloop-edge info",
                             "Shows the record of this device as JSON, and tries its sandbox.");
    device.add_to(parser);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    device.check();
    install_stop_handlers();
    limit_stopping();
    Json record = record_of(device);
    MeasuringProcess process(process_options(device));
    if (auto sandbox = process.sandbox(true, [] { return stop_signal() != 0; }))
        record["sandbox"] = std::move(*sandbox);
    fmt::print("{}\n", record.dump(2));
    return 0;
}

int edge_program(int argc, const char* const* argv) {
    if (argc == 2 && std::strcmp(argv[1], child_command) == 0)
        return measuring_process_main(make_runtime, prepare_runtimes, answer_fd);
    return cli::run_subcommand(
        "edgeloop-edge", "Measures networks on this device.",
        {{"serve", "take jobs from a bridge or a search until stopped", serve_command},
         {"measure", "measure one network by hand", measure_command},
         {"run", "predict a stream of frames as it comes", run_command},
         {"adapt", "let a model go on learning from labelled clips", adapt_command},
         {"info", "show the device record, and try the sandbox", info_command}},
        argc, argv);
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    edgeloop::start_runtimes(argv);
    return edgeloop::run_program([&] { return edgeloop::edge_program(argc, argv); });
}
