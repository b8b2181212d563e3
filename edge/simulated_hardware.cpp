#include "simulated_hardware.hpp"

#include "answer_cache.hpp"
#include "job_process.hpp"
#include "job_worker.hpp"
#include "sandbox.hpp"

#include "edgeloop/accelerator/tools.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/temporary_folder.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr std::size_t shown_clips = 4;  ///< noise twice, a spot, grey; three show an interval
/// The tools end within the time limit; who waits for their process says so only when they do not.
constexpr double grace_s = 5;
constexpr double max_memory_mib = 8192;  ///< of each process, where the job has no limit

accelerator::Fidelity fidelity_of(const MeasurementSettings& settings) {
    return {true, settings.resources == "synthesised", settings.clock == "placed"};
}

Metrics metrics_of(const accelerator::Record& record) {
    using accelerator::Origin;
    const auto number = [](std::int64_t value) { return static_cast<double>(value); };
    const auto truth = [](bool holds) { return holds ? 1.0 : 0.0; };
    return {{"latency_us", record.latency_us()},
            {"cycles", number(std::max<std::int64_t>(record.timing.latency, 1))},
            {"initiation_interval", number(record.timing.interval)},
            {"lut", number(record.resources.lut)},
            {"ff", number(record.resources.ff)},
            {"bram", number(record.resources.ram)},
            {"dsp", number(record.resources.dsp)},
            {"clock_mhz", record.clock_mhz},
            {"latency_is_simulated", 1},
            {"clock_is_assumed", truth(record.clock_origin == Origin::assumed)},
            {"resources_are_estimated", truth(record.resources_origin == Origin::estimated)}};
}

/// What of a part decides about a circuit and its figures.
std::string text_of(const accelerator::Part& part) {
    return fmt::format("{} {} {} {} {}", part.name, part.clock_mhz, part.ram_bits, part.synthesis,
                       part.placement);
}

/// What the process of such a job does. Commands, in this order:
///
/// | command | answers |
/// | --- | --- |
/// | enter | "sandbox": what holds it |
/// | design | "key": what the answer depends on; makes the circuit |
/// | simulate | "metrics", "record" |
class CircuitWorker {
  public:
    CircuitWorker(const MeasurementJob& job, const MeasurementSettings& settings,
                  const MeasuringLimits& limits, const std::string& folder)
        : job_(job),
          settings_(settings),
          limits_(limits),
          folder_(folder),
          end_(steady_seconds() + limits.time_limit_s) {}

    void obey(const std::vector<std::string>& namespaces, const Json& command, Json& answer) {
        const std::string& what = command.at("do").get_ref<const std::string&>();
        if (what == "enter")
            answer["sandbox"] = enter(namespaces);
        else if (what == "design")
            answer["key"] = design();
        else if (what == "simulate")
            simulate(answer);
        else
            throw LogicError("a command that there is not");
    }

  private:
    [[nodiscard]] Json enter(std::vector<std::string> namespaces) const {
        namespaces.insert(namespaces.end(), limits_.namespaces.begin(), limits_.namespaces.end());
        if (!limits_.cores.empty() && !pin_to_cpus(limits_.cores))
            throw ConfigError("cannot pin to the given cores", std::strerror(errno),
                              "choose from those that nproc counts, from 0");
        // Compilers have files of their own beside those that they are told to write.
        ::setenv("TMPDIR", folder_.c_str(), 1);
        Json report =
            confine(limits_.sandbox, {false, 1, limits_.time_limit_s, folder_}, namespaces);
        limit_memory(memory_mib(), false);
        note_open_calls(report);
        return report;
    }

    [[nodiscard]] double memory_mib() const {
        return limits_.memory_limit_mib > 0 ? std::min(limits_.memory_limit_mib, max_memory_mib)
                                            : max_memory_mib;
    }

    /// @throws NetworkError  it has no circuit, whoever simulates it.
    [[nodiscard]] std::string design() {
        const accelerator::Part part = accelerator::part_named(settings_.part);
        const accelerator::Fidelity fidelity = fidelity_of(settings_);
        if (const std::string problem = accelerator::problem_of(fidelity, part); !problem.empty())
            throw IoError("circuits cannot be simulated here", problem);
        const ArchitectureSpec spec = network_of(parse_json(job_.spec, "spec"));
        try {
            circuit_ = accelerator::untrained_circuit_of(spec, part);
        } catch (const ConfigError& error) {
            throw NetworkError(error.problem(), error.why(), error.suggestion());
        }
        std::string text;
        for (const accelerator::TextOfFile& file : accelerator::rtl_of(*circuit_))
            text += file.name + '\n' + file.text;
        Hardware hardware = circuit_->hardware;
        return fmt::format("{} {} {} clips {} {} {} with {} by {}", digest(text).hex(),
                           text_of(part), write_fields(hardware.fields()).dump(), shown_clips,
                           settings_.resources, settings_.clock,
                           accelerator::tool_versions(fidelity), version());
    }

    void simulate(Json& answer) const {
        EDGELOOP_EXPECT(circuit_.has_value(), "a circuit comes before its simulation");
        accelerator::ToolLimits limits;
        limits.seconds = std::max(0.0, end_ - steady_seconds());
        limits.memory_mib = static_cast<std::int64_t>(memory_mib());
        limits.folder = folder_;
        const auto clips = accelerator::sample_clips(*circuit_, shown_clips);
        std::optional<accelerator::Record> record;
        try {
            record = accelerator::examine(*circuit_, clips, fidelity_of(settings_), limits);
        } catch (const ConfigError& error) {  // it does not fit
            throw NetworkError(error.problem(), error.why(), error.suggestion());
        }
        if (record->outputs_equal != true)
            throw IoError("the simulated circuit does not answer as the integer reference",
                          record->difference, "compare the versions of its tools");
        answer["metrics"] = metrics_of(*record);
        answer["record"] = json_of(*record, *circuit_);
        answer["record"]["clips"] = shown_clips;
        answer["record"]["tools"] = accelerator::tool_versions(fidelity_of(settings_));
    }

    const MeasurementJob& job_;
    const MeasurementSettings& settings_;
    const MeasuringLimits& limits_;
    const std::string& folder_;
    double end_;
    std::optional<accelerator::Circuit> circuit_;
};

/// The settings of a job with the part that is simulated. @throws ConfigError  what it asks for is
/// not simulated here.
MeasurementSettings settled(const MeasurementJob& job, const MeasuringLimits& limits) {
    MeasurementSettings settings = settings_of(job);
    const std::string& own = limits.simulation.part;
    if (!own.empty() && !settings.part.empty() && settings.part != own)
        throw ConfigError(fmt::format("this device is simulated hardware of {}", own),
                          fmt::format("the job is for {}", settings.part),
                          "name another class of devices");
    if (settings.part.empty()) settings.part = own;
    require_part(settings.part, "the runtime rtl");
    if (ModelJob::of(job.spec))
        throw ConfigError("models in files are not simulated", {},
                          "edgeloop-model export --format rtl --simulate does it");
    if (!settings.weights.empty())
        throw ConfigError("the runtime rtl takes no weights from files",
                          "those are float32, and a circuit has integers",
                          "leave the weights out, or simulate the trained network by "
                          "edgeloop-model export --format rtl --simulate");
    if (settings.processor != "cpu")
        throw ConfigError("the runtime rtl simulates on the cpu", {}, "drop --processor");
    if (limits.sandbox.mode == SandboxMode::require)
        throw ConfigError("the runtime rtl does not run with --sandbox require",
                          "its tools start programs, which that forbids",
                          "let another agent with --sandbox best answer such jobs");
    return settings;
}

void fill(MeasurementResult& result, const Json& answer, const Json& sandbox,
          const MeasurementSettings& settings, bool from_cache) {
    result.metrics = answer.at("metrics").get<Metrics>();
    Json record = answer.at("record");
    record["settings"] = settings.to_json();
    record["sandbox"] = sandbox;
    record["weights"] = "made up";
    record["from_cache"] = from_cache;
    result.record = record.dump();
}

/// The tools of a job run as its user.
void give_to_user_of_jobs(const std::string& folder, const SandboxSettings& sandbox) {
    if (sandbox.user < 0) return;
    if (::chown(folder.c_str(), static_cast<uid_t>(sandbox.user),
                static_cast<gid_t>(sandbox.group)) != 0)
        throw IoError(fmt::format("cannot give '{}' to the user of the job", folder),
                      std::strerror(errno), "give another --sandbox-user");
}

void simulate_all(const MeasurementJob& job, const MeasuringLimits& limits,
                  MeasurementResult& result) {
    const MeasurementSettings settings = settled(job, limits);
    const TemporaryFolder folder(limits.simulation.work);
    give_to_user_of_jobs(folder.path(), limits.sandbox);
    CircuitWorker worker(job, settings, limits, folder.path());
    JobProcess process(limits.sandbox, limits.time_limit_s + grace_s, -1,
                       [&](const JobSide& side, const std::vector<std::string>& namespaces) {
                           answer_commands(side, [&](const Json& command, Json& answer) {
                               worker.obey(namespaces, command, answer);
                           });
                       });
    const Json sandbox = process.ask({{"do", "enter"}}).at("sandbox");
    const std::string key = process.ask({{"do", "design"}}).at("key");
    const AnswerCache cache(limits.simulation.cache);
    if (const auto kept = cache.find(key))
        return fill(result, parse_json(*kept, "a kept answer"), sandbox, settings, true);
    const Json made = process.ask({{"do", "simulate"}});
    const Json answer = {{"metrics", made.at("metrics")}, {"record", made.at("record")}};
    fill(result, answer, sandbox, settings, false);
    cache.keep(key, answer.dump());
}

}  // namespace

Json SimulationPlace::to_json() const { return {{"part", part}, {"cache", cache}, {"work", work}}; }

SimulationPlace SimulationPlace::from_json(const Json& json) {
    return {json.at("part"), json.at("cache"), json.at("work")};
}

void require_part(const std::string& name, const std::string& where) {
    const std::vector<std::string> known = accelerator::part_names();
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    throw ConfigError(name.empty() ? fmt::format("{}: no part is named", where)
                                   : fmt::format("{}: there is no part '{}'", where, name),
                      {}, fmt::format("the parts are {}", fmt::join(known, ", ")));
}

MeasurementResult answer_by_simulation(const MeasurementJob& job, const MeasuringLimits& limits) {
    return answer_of([&](MeasurementResult& result) { simulate_all(job, limits, result); });
}

Json simulated_hardware(const std::string& part) {
    if (const std::string problem = accelerator::simulation_problem(); !problem.empty())
        return {{"problem", problem}};
    Json metrics = Json::array();
    for (const std::string& name : metric_names(Source::measuring, Needs::circuit))
        if (find_metric(name)->needs == Needs::circuit) metrics.push_back(name);
    return {{"parts", part.empty() ? accelerator::part_names() : std::vector<std::string>{part}},
            {"metrics", std::move(metrics)},
            {"tools", accelerator::tool_versions({})}};
}

}  // namespace edgeloop
