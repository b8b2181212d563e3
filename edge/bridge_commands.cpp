#include "bridge_commands.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/cli/edge_options.hpp"
#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/broker.hpp"
#include "edgeloop/link/journal_store.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <chrono>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr double status_timeout_s = 10;
constexpr auto look = std::chrono::milliseconds(100);

/// Half-open connections of strangers must not use up the descriptors.
void raise_descriptor_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

int serve_command(int argc, const char* const* argv) {
    cli::BridgeConfig config;
    if (!cli::parse_bridge_serve(argc, argv, config)) return 0;
    log::configure(log::level_from(config.log_level));
    install_stop_handlers();
    install_reload_handler();
    raise_descriptor_limit();
    JournalOptions journal;
    journal.folder = config.store;
    journal.max_results = config.max_results;
    JournalStore store(journal);
    BrokerOptions options;
    options.endpoint = config.bind;
    options.keys = config.keys;
    options.allow_list = config.allow_list;
    options.allow_plain_network = config.insecure;
    options.board.max_queued = config.max_queued;
    Broker broker(options, store);
    log::info("listening on {}{}", broker.endpoint(),
              config.keys.empty() ? " without keys"
                                  : fmt::format("; who may connect is in {}", config.allow_list));
    while (stop_signal() == 0) {
        broker.check();
        if (take_reload_request()) broker.reread_keys();
        std::this_thread::sleep_for(look);
    }
    return 0;
}

void print_status(const Json& status) {
    fmt::print("up {:.0f} s; {} queued, {} open, {} results, {:.1f} answers a minute\n",
               status.at("up_s").get<double>(), status.at("queued").get<std::uint64_t>(),
               status.at("open_jobs").get<std::uint64_t>(),
               status.at("results").get<std::uint64_t>(),
               status.at("answers_per_minute").get<double>());
    fmt::print("\n{:<24} {:<44} {:>9} {:>6} {:>9}\n", "device", "class", "measured", "busy",
               "state");
    for (const Json& device : status.at("devices"))
        fmt::print("{:<24} {:<44} {:>9} {:>5.0f}% {:>9}\n", device.at("name").get<std::string>(),
                   device.at("class").get<std::string>(),
                   device.at("measured").get<std::uint64_t>(),
                   100 * device.at("busy_fraction").get<double>(),
                   device.at("measuring").get<bool>() ? "measuring" : "idle");
    fmt::print("\n{:<24} {:>12}\n", "search", "waiting for");
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
    }
    if (!status.at("last_errors").empty()) fmt::print("\nlast errors\n");
    for (const Json& error : status.at("last_errors"))
        fmt::print("  {}\n", error.get<std::string>());
}

int status_command(int argc, const char* const* argv) {
    cli::StatusConfig config;
    if (!cli::parse_bridge_status(argc, argv, config)) return 0;
    log::configure(log::Level::warning);
    const Json status = bridge_status(
        {config.link.connect, config.link.keys, config.link.server_key}, status_timeout_s);
    if (config.json)
        fmt::print("{}\n", status.dump(2));
    else
        print_status(status);
    return 0;
}

int drop_command(int argc, const char* const* argv) {
    cli::DropConfig config;
    if (!cli::parse_bridge_drop(argc, argv, config)) return 0;
    log::configure(log::Level::warning);
    const std::size_t jobs =
        drop_jobs({config.link.connect, config.link.keys, config.link.server_key},
                  {config.job, config.device_class, config.owner}, status_timeout_s);
    fmt::print("{} {} dropped\n", jobs, jobs == 1 ? "job" : "jobs");
    return 0;
}

/// Waits until the bridge keeps the job or, with --wait, until the outcome is there.
std::optional<Outcome> await(RemoteProbe& probe, const cli::SubmitConfig& config) {
    const double start = steady_seconds();
    while (stop_signal() == 0) {
        for (Outcome& outcome : probe.poll()) return std::move(outcome);
        if (!config.wait && probe.unconfirmed() == 0) return std::nullopt;
        if (config.timeout_s > 0 && steady_seconds() - start > config.timeout_s)
            throw CommError(fmt::format("no answer within {:g} s", config.timeout_s),
                            probe.link().text);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    throw Stopped("stopped by a signal");
}

int submit_command(int argc, const char* const* argv) {
    cli::SubmitConfig config;
    if (!cli::parse_bridge_submit(argc, argv, config)) return 0;
    log::configure(log::Level::warning);
    install_stop_handlers();
    // A spec that no device could build is refused here and not after a wait for one.
    const auto spec = ArchitectureSpec::from_file(config.spec);
    RemoteProbeOptions options;
    options.edge = {EdgeOption::Mode::connect, config.link.connect};
    options.name = fmt::format("submit-{}", ::getpid());
    options.device_class = config.device_class;
    options.settings = config.settings;
    options.keys = config.link.keys;
    options.server_key = config.link.server_key;
    options.allow_plain_network = config.link.insecure;
    RemoteProbe probe(options);
    Candidate candidate;
    candidate.id = 1;
    candidate.design = Design::of(spec);
    probe.submit(candidate);
    const auto outcome = await(probe, config);
    if (!outcome) return 0;
    if (outcome->status != Status::completed)
        throw ConfigError(fmt::format("'{}' could not be measured", config.spec), outcome->reason);
    if (config.json)
        fmt::print("{}\n", Json(outcome->metrics).dump(2));
    else
        for (const auto& [name, value] : outcome->metrics) fmt::print("{:<24} {:g}\n", name, value);
    return 0;
}

int keygen_command(int argc, const char* const* argv) {
    std::string file;
    if (!cli::parse_bridge_keygen(argc, argv, file)) return 0;
    write_keys(file, generate_keys());
    fmt::print("{} (keep it secret) and {}.pub (give it to the other side)\n", file, file);
    return 0;
}

}  // namespace

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

}  // namespace edgeloop
