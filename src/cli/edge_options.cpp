#include "edgeloop/cli/edge_options.hpp"

#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/link/messages.hpp"

#include <charconv>
#include <filesystem>
#include <optional>
#include <sstream>

#include <fmt/format.h>

namespace edgeloop::cli {
namespace {

/// The whole of `text` as a number that is not negative, or nothing.
std::optional<int> number_in(std::string_view text) {
    int value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

/// What the user typed for a device, before it is checked.
struct DeviceText {
    std::string cores;
};

void add_device_options(OptionParser& parser, DeviceConfig& device, DeviceText& text) {
    device.name = host_name();
    parser.group("Device");
    parser.add("name", &device.name, "name of this device, stable over restarts");
    parser.add("class", &device.device_class,
               "class of devices this one can stand in for; default: model, runtime, power mode");
    parser.add("cores", &text.cores, "pin measurements to these cores, e.g. 0,2-3");
    parser.add("memory-limit-mib", &device.memory_limit_mib,
               "most memory a measurement may allocate; 0: no limit");
    parser.add("time-limit", &device.time_limit_s, "most seconds a measurement may take");
    parser.add("patience", &device.patience,
               "times its time budget that a measurement may take while another program or virtual "
               "machine shares the core (hyperthreads)");
}

void check_device(DeviceConfig& device, const DeviceText& text) {
    if (device.name.empty()) throw ConfigError("--name must not be empty");
    wire::check_name("--name", device.name);
    wire::check_name("--class", device.device_class);
    if (device.memory_limit_mib < 0) throw ConfigError("--memory-limit-mib must not be negative");
    if (!(device.time_limit_s > 0)) throw ConfigError("--time-limit must be positive");
    if (!(device.patience >= 1 && device.patience <= 1000))
        throw ConfigError(fmt::format("--patience is {}", device.patience), {},
                          "use 1 (never wait) to 1000");
    device.cores = parse_cpu_list(text.cores);
}

/// Files and switches of a secured link.
struct KeyFiles {
    std::string keys, server_key;
};

void add_link_options(OptionParser& parser, LinkConfig& link, KeyFiles& files) {
    parser.group("Link");
    parser.add("connect", &link.connect, "address of a bridge or a search, e.g. tcp://host:5701");
    parser.add("keys", &files.keys, "key file of this side (edgeloop-bridge keygen)");
    parser.add("server-key", &files.server_key, "public key file of the other side");
    parser.add("insecure", &link.insecure, "allow a network link without keys");
}

void check_link(LinkConfig& link, const KeyFiles& files) {
    if (link.connect.empty())
        throw ConfigError("--connect is missing", {}, "give an address like tcp://host:5701");
    check_endpoint(link.connect, EndpointUse::connect);
    if (files.keys.empty() != files.server_key.empty())
        throw ConfigError("--keys and --server-key belong together");
    if (!files.keys.empty()) {
        link.keys = read_keys(files.keys);
        link.server_key = read_public_key(files.server_key);
    } else if (!is_local_endpoint(link.connect) && !link.insecure) {
        throw ConfigError(
            fmt::format("'{}' is reached over a network and no key is given", link.connect),
            "anyone on the way could read and change what is sent",
            "give --keys and --server-key, use an ssh tunnel to 127.0.0.1, or allow "
            "it with --insecure");
    }
}

std::vector<int> parse_batches(const std::string& text) {
    std::vector<int> batches;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        const auto batch = number_in(part);
        if (!batch)  // whether the size is allowed is MeasurementSettings' business
            throw ConfigError(fmt::format("--batch: '{}' is not a list of batch sizes", text),
                              fmt::format("'{}' is not a number", part), "write it like 1,2,4");
        batches.push_back(*batch);
    }
    return batches;
}

void add_measurement_options(OptionParser& parser, MeasurementSettings& settings,
                             std::string& batches) {
    parser.group("Measurement");
    parser.add("batch", &batches, "batch sizes, e.g. 1,2,4,8,16");
    parser.add("threads", &settings.threads, "compute threads");
    parser.add("seconds", &settings.time_budget_s, "time budget for each batch size");
    parser.add("samples", &settings.min_samples, "fewest timed runs before the stop rule applies");
    parser.add("min-seconds", &settings.min_seconds,
               "time that the timed runs cover before the stop rule applies: clocks float");
    parser.add("spread", &settings.iqr_ratio, "stop rule: interquartile range / median");
    parser.add("runtime", &settings.runtime, "eager, torchscript, onnx or tensorrt");
    parser.add("processor", &settings.processor, "cpu or cuda");
    parser.add("weights", &settings.weights,
               "safetensors file of the network's weights, on the device; none: random weights");
    parser.add("repeat", &settings.repeat, "another number measures again instead of looking up");
}

MeasurementSettings checked(MeasurementSettings settings, const std::string& batches) {
    settings.batches = parse_batches(batches);
    if (!(settings.min_seconds >= 0 && settings.min_seconds <= 3600))
        throw ConfigError(fmt::format("--min-seconds is {}", settings.min_seconds), {},
                          "use 0 to 3600");
    if (settings.runtime == "tensorrt" && settings.processor != "cuda")
        throw ConfigError("--runtime tensorrt runs on GPUs only", {}, "add --processor cuda");
    return MeasurementSettings::from_json(settings.to_json(), "options");
}

}  // namespace

bool parse_serve(int argc, const char* const* argv, ServeConfig& config) {
    OptionParser parser("edgeloop-edge serve",
                        "Takes measuring jobs from a bridge or a search until it is stopped.");
    DeviceText device;
    KeyFiles files;
    add_link_options(parser, config.link, files);
    add_device_options(parser, config.device, device);
    parser.add("weights-folder", &config.device.weights_folder,
               "folder of safetensors files that jobs may name with --weights");
    parser.group("Drift");
    parser.add("reference-every", &config.reference_every,
               "jobs between two measurements of a small reference network, which confirm them; 0: "
               "never");
    parser.add("reference-threshold", &config.reference_threshold,
               "change of its latency above which jobs are measured again, e.g. 0.1");
    parser.group("Process");
    parser.add("parent", &config.parent, "end when this process, the one that started it, ends");
    parser.add("turns-file", &config.turns_file,
               "measure while the trainings of this machine that lock this file pause");
    parser.add("log-level", &config.log_level, "debug, info, warning or error");
    if (!parser.parse(argc, argv, 2)) return false;
    check_link(config.link, files);
    check_device(config.device, device);
    if (config.reference_every < 0 || config.reference_every > 12)
        throw ConfigError("--reference-every must be 0 to 12");
    if (!(config.reference_threshold > 0))
        throw ConfigError("--reference-threshold must be positive");
    return true;
}

bool parse_measure(int argc, const char* const* argv, MeasureConfig& config) {
    OptionParser parser("edgeloop-edge measure", "Measures one network on this device.");
    DeviceText device;
    std::string batches = "1";
    parser.add("spec", &config.spec,
               "file with the network's specification (JSON), or the name of a shipped one");
    add_measurement_options(parser, config.settings, batches);
    parser.add("json", &config.json, "print everything as JSON");
    add_device_options(parser, config.device, device);
    if (!parser.parse(argc, argv, 2)) return false;
    if (config.spec.empty())
        throw ConfigError("--spec is missing", {}, "name a JSON file or a shipped specification");
    const std::filesystem::path weights = config.settings.weights;
    config.device.weights_folder = weights.has_parent_path() ? weights.parent_path() : ".";
    config.settings.weights = weights.filename();
    config.settings = checked(config.settings, batches);
    check_device(config.device, device);
    return true;
}

bool parse_info(int argc, const char* const* argv, InfoConfig& config) {
    OptionParser parser("edgeloop-edge info", "Shows the record of this device as JSON.");
    DeviceText device;
    add_device_options(parser, config.device, device);
    if (!parser.parse(argc, argv, 2)) return false;
    check_device(config.device, device);
    return true;
}

bool parse_bridge_serve(int argc, const char* const* argv, BridgeConfig& config) {
    OptionParser parser("edgeloop-bridge serve",
                        "The durable meeting point of searches and edge devices; both dial in.");
    std::string key_file;
    parser.add("bind", &config.bind, "address to listen on, e.g. tcp://*:5701");
    parser.add("store", &config.store, "folder for jobs, results and device records");
    parser.group("Security");
    parser.add("keys", &key_file, "key file of this bridge (edgeloop-bridge keygen)");
    parser.add(
        "allow", &config.allow_list,
        "public keys that may connect: a folder of .pub files (in devices/ and searches/: only "
        "as that), or a file with one a line; read again when it changes");
    parser.add("insecure", &config.insecure, "listen to the network without keys");
    parser.group("Limits");
    parser.add("max-results", &config.max_results, "results kept; the oldest go first");
    parser.add("max-queued", &config.max_queued, "jobs kept waiting; more are asked to come again");
    parser.add("log-level", &config.log_level, "debug, info, warning or error");
    if (!parser.parse(argc, argv, 2)) return false;
    check_endpoint(config.bind, EndpointUse::listen);
    if (key_file.empty() != config.allow_list.empty())
        throw ConfigError("--keys and --allow belong together");
    if (!key_file.empty()) {
        config.keys = read_keys(key_file);
        static_cast<void>(read_allow_list(config.allow_list));  // a mistake is found now
    } else if (!is_local_endpoint(config.bind) && !config.insecure) {
        throw ConfigError(
            fmt::format("'{}' can be reached by others and no key is given", config.bind),
            "anyone could submit jobs and read results",
            "make keys with 'edgeloop-bridge keygen', bind to 127.0.0.1 behind an "
            "ssh tunnel, or allow it with --insecure");
    }
    if (config.max_results == 0 || config.max_queued == 0)
        throw ConfigError("--max-results and --max-queued must be positive");
    return true;
}

bool parse_bridge_status(int argc, const char* const* argv, StatusConfig& config) {
    OptionParser parser("edgeloop-bridge status", "Shows devices, queue and rates of a bridge.");
    KeyFiles files;
    config.link.connect = "tcp://127.0.0.1:5701";
    parser.add("json", &config.json, "print everything as JSON");
    add_link_options(parser, config.link, files);
    if (!parser.parse(argc, argv, 2)) return false;
    check_link(config.link, files);
    return true;
}

bool parse_bridge_drop(int argc, const char* const* argv, DropConfig& config) {
    OptionParser parser("edgeloop-bridge drop",
                        "Drops jobs that nobody will measure; each option given must fit. Searches "
                        "that wait for them get a failure.");
    KeyFiles files;
    std::string job;
    config.link.connect = "tcp://127.0.0.1:5701";
    parser.add("job", &job, "one job, by its number (16 hexadecimal digits)");
    parser.add("class", &config.device_class, "jobs that ask for this class of device");
    parser.add("owner", &config.owner, "jobs that the search of this name waits for");
    add_link_options(parser, config.link, files);
    if (!parser.parse(argc, argv, 2)) return false;
    if (job.empty() && config.device_class.empty() && config.owner.empty())
        throw ConfigError("nothing says which jobs to drop", {},
                          "give --job, --class or --owner; edgeloop-bridge status shows them");
    if (!job.empty()) {
        const char* end = job.data() + job.size();
        const auto [stop, error] = std::from_chars(job.data(), end, config.job, 16);
        if (error != std::errc{} || stop != end || config.job == 0)
            throw ConfigError(fmt::format("--job: '{}' is not the number of a job", job), {},
                              "it has up to 16 hexadecimal digits");
    }
    wire::check_name("--class", config.device_class);
    wire::check_name("--owner", config.owner);
    check_link(config.link, files);
    return true;
}

bool parse_bridge_submit(int argc, const char* const* argv, SubmitConfig& config) {
    OptionParser parser("edgeloop-bridge submit",
                        "Has one network measured by a device of a running bridge.");
    KeyFiles files;
    std::string batches = "1";
    config.link.connect = "tcp://127.0.0.1:5701";
    parser.add("spec", &config.spec,
               "file with the network's specification (JSON), or the name of a shipped one");
    parser.add("device", &config.device_class, "class of device to measure on; empty: any");
    parser.add("wait", &config.wait, "wait for the result and print it");
    parser.add("timeout", &config.timeout_s, "give up after so many seconds; 0: never");
    parser.add("json", &config.json, "print everything as JSON");
    add_measurement_options(parser, config.settings, batches);
    add_link_options(parser, config.link, files);
    if (!parser.parse(argc, argv, 2)) return false;
    if (config.spec.empty())
        throw ConfigError("--spec is missing", {}, "name a JSON file or a shipped specification");
    wire::check_name("--device", config.device_class);
    config.settings = checked(config.settings, batches);
    check_link(config.link, files);
    return true;
}

bool parse_bridge_keygen(int argc, const char* const* argv, std::string& file) {
    OptionParser parser("edgeloop-bridge keygen",
                        "Makes a key pair: FILE (secret, for its owner only) and FILE.pub.");
    std::vector<std::string> files;
    parser.positional("file", &files, "where the key pair goes");
    if (!parser.parse(argc, argv, 2)) return false;
    if (files.size() != 1) throw ConfigError("keygen needs one file name");
    file = files[0];
    return true;
}

}  // namespace edgeloop::cli
