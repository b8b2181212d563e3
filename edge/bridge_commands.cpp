#include "link/allow_list.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/cli/edge_options.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/bridge_store.hpp"
#include "edgeloop/link/broker.hpp"
#include "edgeloop/link/limits.hpp"
#include "edgeloop/link/messages.hpp"
#include "edgeloop/link/model_submission.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr const char* default_endpoint = "tcp://127.0.0.1:5701";
constexpr double status_timeout_s = 10;
constexpr double max_mib = 1 << 20;
constexpr auto look = std::chrono::milliseconds(100);

/// Half-open connections of strangers must not use up the descriptors.
void raise_descriptor_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

/// Reads the keys, and refuses to be open to the network by accident.
void check_security(BrokerOptions& options, const std::string& key_file) {
    check_endpoint(options.endpoint, EndpointUse::listen);
    if (key_file.empty() != options.allow_list.empty())
        throw ConfigError("--keys and --allow belong together");
    if (!key_file.empty()) {
        options.keys = read_keys(key_file);
        static_cast<void>(AllowList(options.allow_list));  // a mistake is found now
    } else if (!is_local_endpoint(options.endpoint) && !options.allow_plain_network) {
        throw ConfigError(
            fmt::format("'{}' can be reached by others and no key is given", options.endpoint),
            "anyone could submit jobs and read results",
            "make keys with 'edgeloop-bridge keygen', bind to 127.0.0.1 behind an "
            "ssh tunnel, or allow it with --insecure");
    }
}

/// What peers may take, as an operator says it.
struct Limits {
    double expire_days = limits::unclaimed_s / 86'400;
    std::uint64_t queued_mib = limits::queued_bytes / limits::mib,
                  result_mib = limits::result_bytes / limits::mib,
                  model_mib = limits::model_bytes / limits::mib, memory_mib = limits::resident_mib;

    void add_to(cli::OptionParser& parser, BridgeStoreOptions& kept, BrokerOptions& options) {
        parser.group("Limits");
        parser.add("max-results", &kept.max_results,
                   "results to keep; the oldest are deleted first", at_least(1));
        parser.add("max-result-mib", &result_mib,
                   "MiB of results to keep; they take twice as much on disk", between(1, max_mib));
        parser.add("max-queued", &options.board.max_queued,
                   "jobs in the queue; no key gets more than is left for the others, and clients "
                   "retry beyond that",
                   at_least(1));
        parser.add("max-queued-mib", &queued_mib, "the same in MiB, with 1 KiB for each job",
                   between(1, max_mib));
        parser.add("max-model-mib", &model_mib,
                   "largest file of a model, and of its test vectors, in MiB", between(1, 4096));
        parser.add("max-sessions", &options.board.max_sessions,
                   "searches and devices at a time, shared out in the same way", at_least(2));
        parser.add("max-memory", &memory_mib,
                   "resident memory in MiB beyond which all connections are ended, to be opened "
                   "again; 0: no limit",
                   between(0, max_mib));
        parser.add("unclaimed-expire", &expire_days,
                   "days after which a job ends that no search waits for, or for which no device "
                   "was here; 0: never",
                   at_least(0));
    }
    void apply_to(BridgeStoreOptions& kept, BrokerOptions& options) const {
        kept.max_result_bytes = result_mib * limits::mib;
        options.board.max_queued_bytes = queued_mib * limits::mib;
        options.board.max_model_bytes = model_mib * limits::mib;
        options.board.expire_s = expire_days * 86'400;
        options.max_memory_mib = memory_mib;
    }
};

int serve_command(int argc, const char* const* argv) {
    BridgeStoreOptions kept;
    kept.folder = "edgeloop-bridge";
    BrokerOptions options;
    options.endpoint = default_endpoint;
    std::string key_file, log_level = "info";
    bool share = false;
    cli::OptionParser parser(
        "edgeloop-bridge serve",
        "The durable meeting point of searches and edge devices; both dial in.");
    parser.add("bind", &options.endpoint, "address to listen on, e.g. tcp://*:5701");
    parser.add("store", &kept.folder, "folder for jobs and results");
    parser.add("share", &share,
               "let the group read the store (files 0640, folder 0750); without it only the owner "
               "may (0600, 0700)");
    parser.group("Security");
    parser.add("keys", &key_file, "key file of this bridge (edgeloop-bridge keygen)");
    parser.add(
        "allow", &options.allow_list,
        "public keys that may connect: a folder of .pub files (in devices/ and searches/: only "
        "as that; in operators/: may drop jobs of others), or a file with one a line; read again "
        "when it changes");
    parser.add("insecure", &options.allow_plain_network, "listen to the network without keys");
    Limits limits;
    limits.add_to(parser, kept, options);
    cli::add_log_level(parser, log_level);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    limits.apply_to(kept, options);
    check_security(options, key_file);
    log::configure(log::level_from(log_level));
    install_stop_handlers();
    limit_stopping();  // what was acknowledged is on the disk
    install_reload_handler();
    ::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is an error of the store
    raise_descriptor_limit();
    kept.access = share ? Access::group : Access::owner;
    BridgeStore store(kept);
    Broker broker(options, store);
    log::info("listening on {}{}", broker.endpoint(),
              options.keys.empty() ? " without keys"
                                   : fmt::format("; who may connect is in {}", options.allow_list));
    while (stop_signal() == 0) {
        broker.check();
        if (take_reload_request()) broker.reread_keys();
        std::this_thread::sleep_for(look);
    }
    return 0;
}

/// Who has how much of the queue: keys, or names where no keys are asked for.
void print_shares(const Json& status) {
    const Json shares = status.value("shares", Json::array());
    if (!shares.empty()) fmt::print("\n{:<44} {:>9} {:>9}\n", "share of the queue", "jobs", "MiB");
    for (const Json& share : shares)
        fmt::print("{:<44} {:>9} {:>9.1f}\n", share.at("of").get<std::string>(),
                   share.at("jobs").get<std::uint64_t>(),
                   static_cast<double>(share.at("bytes").get<std::uint64_t>()) / bytes_per_mib);
}

void print_status(const Json& status) {
    fmt::print("up {:.0f} s; {} queued, {} open, {} results, {:.1f} answers a minute\n",
               status.at("up_s").get<double>(), status.at("queued").get<std::uint64_t>(),
               status.at("open_jobs").get<std::uint64_t>(),
               status.at("results").get<std::uint64_t>(),
               status.at("answers_per_minute").get<double>());
    // Bridges of earlier releases say nothing of it.
    if (const std::string trouble = status.value("trouble", ""); !trouble.empty())
        fmt::print("accepts no new jobs and acknowledges nothing: {}\n", trouble);
    fmt::print("\n{:<24} {:<44} {:>9} {:>6} {:>9}\n", "device", "class", "measured", "busy",
               "state");
    for (const Json& device : status.at("devices"))
        fmt::print("{:<24} {:<44} {:>9} {:>5.0f}% {:>9}\n", device.at("name").get<std::string>(),
                   device.at("class").get<std::string>(),
                   device.at("measured").get<std::uint64_t>(),
                   100 * device.at("busy_fraction").get<double>(),
                   device.at("measuring").get<bool>() ? "measuring" : "idle");
    if (!status.at("clients").empty()) fmt::print("\n{:<24} {:>12}\n", "search", "waiting for");
    for (const Json& client : status.at("clients"))
        fmt::print("{:<24} {:>12}\n", client.at("name").get<std::string>(),
                   client.at("waiting_for").get<std::uint64_t>());
    if (!status.at("waiting").empty())
        fmt::print("\n{:<44} {:>9} {:>9}\n", "waiting for class", "jobs", "devices");
    for (const Json& line : status.at("waiting")) {
        const std::string wanted = line.at("class");
        fmt::print("{:<44} {:>9} {:>9}{}\n", wanted.empty() ? "(any)" : wanted,
                   line.at("jobs").get<std::uint64_t>(), line.at("devices").get<std::uint64_t>(),
                   line.at("devices") == 0 && !wanted.empty()
                       ? fmt::format("  nobody can measure these; drop --class '{}'", wanted)
                       : "");
        fmt::print("  jobs: {}\n", fmt::join(line.at("ids").get<std::vector<std::string>>(), " "));
    }
    print_shares(status);
    if (!status.at("last_errors").empty()) fmt::print("\nlast errors\n");
    for (const Json& error : status.at("last_errors"))
        fmt::print("  {}\n", error.get<std::string>());
    if (status.value("shortened", false)) fmt::print("\nnames are shortened: there are many\n");
}

int status_command(int argc, const char* const* argv) {
    cli::LinkSettings way(default_endpoint);
    bool json = false;
    cli::OptionParser parser("edgeloop-bridge status",
                             "Shows devices, queue and rates of a bridge.");
    cli::add_json(parser, json);
    way.add_to(parser);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    way.check();
    log::configure(log::Level::warning);
    const Json status = bridge_status(way.address, status_timeout_s);
    if (json)
        fmt::print("{}\n", status.dump(2));
    else
        print_status(status);
    return 0;
}

std::uint64_t job_number(const std::string& text) {
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number, 16);
    if (error != std::errc{} || stop != end || number == 0)
        throw ConfigError(fmt::format("--job: '{}' is not the number of a job", text), {},
                          "it has up to 16 hexadecimal digits");
    return number;
}

int drop_command(int argc, const char* const* argv) {
    cli::LinkSettings way(default_endpoint);
    JobChoice choice;
    std::string job;
    cli::OptionParser parser(
        "edgeloop-bridge drop",
        "Drops jobs that nobody will measure; each option given must fit. Searches "
        "that wait for them get a failure.");
    parser.add("job", &job, "one job, by its number (16 hexadecimal digits)");
    parser.add("class", &choice.device_class, "jobs that ask for this class of device");
    parser.add("owner", &choice.owner, "jobs that the search of this name waits for");
    way.add_to(parser);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    if (job.empty() && choice.device_class.empty() && choice.owner.empty())
        throw ConfigError("nothing says which jobs to drop", {},
                          "give --job, --class or --owner; edgeloop-bridge status shows them");
    if (!job.empty()) choice.job = job_number(job);
    wire::check_name("--class", choice.device_class);
    wire::check_name("--owner", choice.owner);
    way.check();
    log::configure(log::Level::warning);
    const std::size_t dropped = drop_jobs(way.address, choice, status_timeout_s);
    fmt::print("{} dropped\n", plural(dropped, "job"));
    if (dropped == 0 && !way.key_file.empty())
        log::warning("a key that is not in the bridge's operators/ drops its own jobs only");
    return 0;
}

/// Waits until the bridge keeps the job or, with --wait, until the outcome is there.
/// @param timeout_s  0: as long as it takes.
std::optional<Outcome> await(RemoteProbe& probe, bool wait, double timeout_s) {
    const double start = steady_seconds();
    while (stop_signal() == 0) {
        for (Outcome& outcome : probe.poll()) return std::move(outcome);
        if (!wait && probe.unconfirmed() == 0) return std::nullopt;
        if (timeout_s > 0 && steady_seconds() - start > timeout_s)
            throw CommError(fmt::format("no answer within {:g} s", timeout_s), probe.link().text);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    throw Stopped("stopped by a signal");
}

/// Of a design its metrics; of a model also what the device said of its vectors and its promise.
Json submit_json(const cli::MeasurementChoice& choice, const Outcome& outcome) {
    if (choice.files.model.empty()) return outcome.metrics;
    return {{"metrics", outcome.metrics},
            {"device", outcome.device},
            {"record", parse_json(outcome.record.empty() ? "{}" : outcome.record, "record")}};
}

/// Has a model in a file measured. @return nothing when nobody waits.
std::optional<Outcome> submit_file(const ModelSubmission& submission, bool wait, double timeout_s) {
    const double start = steady_seconds();
    const auto give_up = [&] {
        if (stop_signal() != 0) throw Stopped("stopped by a signal");
        if (timeout_s > 0 && steady_seconds() - start > timeout_s)
            throw CommError(fmt::format("no answer within {:g} s", timeout_s),
                            "the bridge is not there or has no room, or no device of the class is");
        return false;
    };
    const auto result = submit_model(submission, wait, give_up);
    return result ? std::optional<Outcome>(*result) : std::nullopt;
}

/// Has a design measured.
std::optional<Outcome> submit_design(const RemoteProbeOptions& options, const std::string& file,
                                     bool wait, double timeout_s) {
    // A spec that no device could build is refused here and not after a wait for one.
    Candidate candidate;
    candidate.id = 1;
    candidate.design = Design::of(ArchitectureSpec::from_file(file));
    RemoteProbe probe(options);
    probe.submit(candidate);
    return await(probe, wait, timeout_s);
}

int submit_command(int argc, const char* const* argv) {
    cli::LinkSettings way(default_endpoint);
    cli::MeasurementChoice choice;
    RemoteProbeOptions options;
    bool json = false, wait = false;
    double timeout_s = 0;
    cli::OptionParser parser("edgeloop-bridge submit",
                             "Has one network measured by a device of a running bridge.");
    parser.add("device", &options.device_class, "device class to measure on; empty: any");
    parser.add("wait", &wait, "wait for the result and print it");
    parser.add("timeout", &timeout_s, "time limit in seconds; 0: none", at_least(0));
    cli::add_json(parser, json);
    choice.add_to(parser);
    way.add_to(parser);
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    wire::check_name("--device", options.device_class);
    choice.check();
    way.check();
    log::configure(log::Level::warning);
    install_stop_handlers();
    limit_stopping();
    options.edge = {EdgeOption::Mode::connect, way.address.endpoint};
    options.name = fmt::format("submit-{}", ::getpid());
    options.settings = choice.settings;
    options.keys = way.address.keys;
    options.server_key = way.address.server_key;
    options.allow_plain_network = way.insecure;
    const auto outcome = choice.files.model.empty()
                             ? submit_design(options, choice.spec, wait, timeout_s)
                             : submit_file({way.address, options.name,
                                            choice.job(options.device_class), choice.files},
                                           wait, timeout_s);
    if (!outcome) return 0;
    if (outcome->status != Status::completed)
        throw ConfigError(fmt::format("'{}' could not be measured", choice.name()),
                          outcome->reason);
    cli::print_result(choice, *outcome, json, submit_json(choice, *outcome));
    return 0;
}

int keygen_command(int argc, const char* const* argv) {
    std::vector<std::string> files;
    cli::OptionParser parser("edgeloop-bridge keygen",
                             "Makes a key pair: FILE (secret, for its owner only) and FILE.pub.");
    parser.positional("file", &files, "where the key pair goes");
    if (!parser.parse(argc, argv, cli::first_option)) return 0;
    if (files.size() != 1) throw ConfigError("keygen needs one file name");
    write_keys(files[0], generate_keys());
    fmt::print("{} (keep it secret) and {}.pub (give it to the other side)\n", files[0], files[0]);
    return 0;
}

int bridge_program(int argc, const char* const* argv) {
    return cli::run_subcommand("edgeloop-bridge",
                               "Relays measuring jobs between searches and edge devices.",
                               {{"serve", "run the bridge until stopped", serve_command},
                                {"status", "show devices, queue and rates", status_command},
                                {"submit", "have one network measured", submit_command},
                                {"drop", "drop jobs that nobody will measure", drop_command},
                                {"keygen", "make a key pair", keygen_command}},
                               argc, argv);
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::bridge_program(argc, argv); });
}
