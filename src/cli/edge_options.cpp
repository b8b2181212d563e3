#include "edgeloop/cli/edge_options.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/messages.hpp"

#include <sstream>
#include <utility>

#include <fmt/format.h>

namespace edgeloop::cli {
namespace {

std::vector<int> parse_batches(const std::string& text) {
    const Range range = MeasurementSettings::range("batches");
    const auto refuse = [&](const std::string& why) {
        throw ConfigError(fmt::format("--batch: '{}' is not a list of batch sizes", text), why,
                          "write it like 1,2,4");
    };
    std::vector<int> batches;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        const auto batch = number_in<int>(part);
        if (!batch || *batch < 0) refuse(fmt::format("'{}' is not a number", part));
        if (!range.has(*batch)) refuse("it takes batch sizes of " + range.text());
        batches.push_back(*batch);
    }
    if (batches.empty() || batches.size() > 16) refuse("it takes 1 to 16 of them");
    return batches;
}

}  // namespace

void DeviceSettings::add_to(OptionParser& parser) {
    name = host_name();
    parser.group("Device");
    parser.add("name", &name, "name of this device, stable over restarts", needed_text());
    parser.add("class", &device_class,
               "device class: devices of one class measure alike; default: model, runtime, power "
               "mode");
    parser.add("cores", &core_list, "CPU cores to pin measurements to, e.g. 0,2-3; empty: all");
    parser.add("memory-limit-mib", &memory_limit_mib,
               "memory limit of a measurement in MiB; 0: none", at_least(0));
    parser.add("time-limit", &time_limit_s, "time limit of a measurement in seconds", more_than(0));
    parser.add("patience", &patience,
               "a measurement that another program or virtual machine disturbs (hyperthreads) may "
               "take this many times its time budget; 1: no more than the budget",
               between(1, 1000));
    parser.add("sandbox", &sandbox,
               "what holds a network that is measured: as much as this machine can, no measurement "
               "without system calls filtered and files hidden, or nothing",
               one_of({"best", "require", "off"}));
    parser.add("sandbox-user", &sandbox_user,
               "user that networks are measured as when root runs the agent, by name or number; "
               "default: one that has no account");
    parser.add("cache", &cache,
               "folder of answers of simulated hardware, which are not simulated again, or none; "
               "default: in the user's own cache");
}

void DeviceSettings::check() {
    wire::check_name("--name", name);
    wire::check_name("--class", device_class);
    cores = parse_cpu_list(core_list);
}

LinkSettings::LinkSettings(std::string endpoint) { address.endpoint = std::move(endpoint); }

void LinkSettings::add_to(OptionParser& parser) {
    parser.group("Link");
    parser.add("connect", &address.endpoint,
               "address of a bridge or a search, e.g. tcp://host:5701", needed_text());
    parser.add("keys", &key_file, "key file of this side (edgeloop-bridge keygen)");
    parser.add("server-key", &server_key_file, "public key file of the other side");
    parser.add("insecure", &insecure, "allow a network link without keys");
}

void LinkSettings::check() {
    check_endpoint(address.endpoint, EndpointUse::connect);
    if (key_file.empty() != server_key_file.empty())
        throw ConfigError("--keys and --server-key belong together");
    if (!key_file.empty()) {
        address.keys = read_keys(key_file);
        address.server_key = read_public_key(server_key_file);
    } else if (!is_local_endpoint(address.endpoint) && !insecure) {
        throw ConfigError(
            fmt::format("'{}' is reached over a network and no key is given", address.endpoint),
            "anyone on the way could read and change what is sent",
            "give --keys and --server-key, use an ssh tunnel to 127.0.0.1, or allow "
            "it with --insecure");
    }
}

void MeasurementChoice::add_to(OptionParser& parser) {
    const auto add = [&](const char* name, OptionParser::Target value, const char* key,
                         const char* help) {
        parser.add(name, value, help, MeasurementSettings::range(key));
    };
    parser.add("spec", &spec,
               "design to measure: a JSON file, or a shipped one by name, e.g. human");
    parser.add("model", &files.model, "model to measure instead: an ONNX or TorchScript file");
    parser.add("vectors", &files.vectors,
               "test inputs of the model with the outputs that are expected, a safetensors file");
    parser.add("input", &inputs,
               "shapes of the model's inputs where its file does not say them, with the batch axis "
               "in front, e.g. 1x3x32x32 or 1x3x32x32:uint8,1x4");
    parser.add("max-model-mib", &max_model_mib, "largest model and largest file of vectors in MiB",
               between(1, 4096));
    parser.group("Measurement");
    parser.add("batch", &batches, "batch sizes, e.g. 1,2,4,8,16");
    add("threads", &settings.threads, "threads", "compute threads");
    add("seconds", &settings.time_budget_s, "time_budget_s",
        "time budget for each batch size in seconds");
    add("samples", &settings.min_samples, "min_samples",
        "fewest undisturbed runs, unless the budget is spent before");
    add("min-seconds", &settings.min_seconds, "min_seconds",
        "fewest seconds that they cover, because clock rates vary");
    add("spread", &settings.spread, "spread",
        "stop, and call it valid, when the 95 % interval of the median is at most this wide, as a "
        "share of it, e.g. 0.05");
    add("camera-height", &settings.frame_height, "frame_height",
        "height of the camera's frames, which preprocessing begins with");
    add("camera-width", &settings.frame_width, "frame_width", "their width");
    add("runtime", &settings.runtime, "runtime", "inference runtime");
    add("processor", &settings.processor, "processor", "where to run the network");
    add("weights", &settings.weights, "weights",
        "safetensors file with the network's weights, on the device; default: random weights");
    add("part", &settings.part, "part",
        "--runtime rtl: gate array that is simulated, e.g. zynq7020");
    add("resources", &settings.resources, "resources",
        "--runtime rtl: what it takes of the part, by formula or counted by yosys");
    add("clock", &settings.clock, "clock",
        "--runtime rtl: the part's assumed clock, or that of place and route, where it is free");
    add("repeat", &settings.repeat, "repeat",
        "another number measures again instead of looking up the stored result");
}

void MeasurementChoice::check() {
    if (spec.empty() == files.model.empty())
        throw ConfigError(
            spec.empty() ? "nothing says what to measure" : "--spec and --model exclude each other",
            {}, "give --spec or --model");
    if (files.model.empty() && !(files.vectors.empty() && inputs.empty()))
        throw ConfigError("--vectors and --input belong to --model");
    settings.batches = parse_batches(batches);
    if (needs_cuda(settings.runtime) && settings.processor != "cuda")
        throw ConfigError(fmt::format("--runtime {} runs on GPUs only", settings.runtime), {},
                          "add --processor cuda");
    // Each is in its range: left is the name of --weights.
    settings = MeasurementSettings::from_json(settings.to_json(), "--weights");
}

MeasurementJob MeasurementChoice::job(const std::string& device_class) {
    if (files.model.empty())
        return make_job(ArchitectureSpec::from_file(spec).to_json(), settings, device_class);
    const ModelJob model = files.describe(max_model_mib << 20U, inputs, settings);
    return make_job(model.to_json(), settings, device_class);
}

void print_result(const MeasurementChoice& choice, const Outcome& outcome, bool json,
                  const Json& as_json) {
    if (json)
        fmt::print("{}\n", as_json.dump(2));
    else
        for (const auto& [name, value] : outcome.metrics) fmt::print("{:<24} {:g}\n", name, value);
    if (choice.files.model.empty() || outcome.record.empty()) return;
    const Json record = parse_json(outcome.record, "record");
    const Json vectors = record.value("vectors", Json::object());
    const Json promise = record.value("promise", Json::object());
    if (!json && promise.contains("holds")) {
        const Json& holds = promise.at("holds");
        // A device of before says why only of what is not comparable.
        const std::string times = fmt::format("{} ms promised, {} ms measured",
                                              promise.value("promised_ms", Json()).dump(),
                                              promise.value("measured_ms", Json()).dump());
        const std::string why =
            promise.value("why", holds.is_null() ? std::string("not comparable") : times);
        fmt::print("{:<24} {} ({})\n", "latency promise",
                   holds.is_null() ? "unknown"
                   : holds == true ? "holds"
                                   : "does not hold",
                   why);
    }
    if (!vectors.contains("holds")) return;
    const std::string detail = fmt::format("{} vectors, largest difference {} in vector {}",
                                           vectors.value("vectors", Json()).dump(),
                                           vectors.value("largest_difference", Json()).dump(),
                                           vectors.value("worst_vector", Json()).dump());
    if (vectors.at("holds") != true)
        throw ConfigError(
            fmt::format("'{}' does not answer as its test vectors say", choice.files.model),
            fmt::format("{}; first wrong: {}", detail,
                        vectors.value("first_wrong_vector", Json()).dump()));
    if (!json) fmt::print("{:<24} holds ({})\n", "prediction", detail);
}

void add_log_level(OptionParser& parser, std::string& level) {
    parser.add("log-level", &level, "messages to show",
               one_of({"debug", "info", "warning", "error"}));
}

void add_json(OptionParser& parser, bool& json) {
    parser.add("json", &json, "print everything as JSON");
}

}  // namespace edgeloop::cli
