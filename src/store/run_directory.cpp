#include "edgeloop/store/run_directory.hpp"

#include "store/conditions_table.hpp"
#include "store/journal.hpp"
#include "store/run_folder.hpp"
#include "store/snapshot.hpp"
#include "store/tables.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t snapshots_kept = 3;
constexpr std::size_t max_device_records = 200;  ///< a device may change its own at each Hello

namespace fs = std::filesystem;

void require_same_run(const Json& before, const Json& now, const std::string& folder) {
    for (const char* key : {"seed", "space", "objectives"})
        if (before.value(key, Json()) != now.at(key))
            throw ConfigError(
                fmt::format("the run in '{}' has another {}: {}", folder, key,
                            before.value(key, Json()).dump()),
                fmt::format("this start asks for {}", now.at(key).dump()),
                "resume with the configuration that started it, or choose another --run-dir");
}

Json read_provenance(const std::string& path) {
    try {
        return read_json_file(path, deepest_kept_json);
    } catch (const ConfigError& error) {
        throw CorruptState(error.problem(), error.why(),
                           "restore the folder from a copy or start a new run");
    }
}

/// The part of a device's record that is the same at each of its starts.
Json without_conditions(Json record) {
    if (record.is_object()) record.erase("conditions");
    return record;
}

std::string pretty(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

// What a config file says, without its comments.
std::string settings_in(const std::string& config_text) {
    std::string settings;
    std::istringstream lines(config_text);
    for (std::string line; std::getline(lines, line);)
        if (!line.empty() && line[0] != '#') settings += line + '\n';
    return settings;
}

Json identity_of(const Engine& engine) {
    return {{"seed", engine.settings().seed},
            {"space", engine.space().identity().hex()},
            {"idle_genes", engine.space().has_idle_genes()},
            {"objectives", engine.settings().goals.text()}};
}

/// Adds the seconds of its life.
class Timer {
  public:
    explicit Timer(double& total) : total_(total) {}
    ~Timer() { total_ += steady_seconds() - start_; }

  private:
    double& total_;
    double start_ = steady_seconds();
};

class OpenDirectory final : public RunDirectory {
  public:
    explicit OpenDirectory(RunDirectoryOptions options)
        : options_(std::move(options)),
          lock_(open_run_folder(options_.path, options_.access)),
          snapshots_(path("checkpoint"), snapshots_kept, options_.access),
          layout_{&options_.engine->space(), options_.engine->settings().goals.objectives},
          resumed_(options_.mode == StartMode::resume && holds_run()) {
        if (resumed_) {
            reopen();
        } else {
            if (options_.mode == StartMode::resume)
                log::info("'{}' holds nothing to resume yet: starting", options_.path);
            start_fresh();
        }
    }

    [[nodiscard]] std::optional<Recovery> recover() override {
        const std::string file = path("journal.jsonl");
        std::optional<Snapshot> snapshot = snapshots_.newest();
        Journal past;
        if (fs::exists(file)) {
            past = read_journal(file);
            if (past.good_bytes < fs::file_size(file)) {
                log::warning("the last line of '{}' was cut off and is left out", file);
                cut_off(file, past.good_bytes, options_.access);
            }
            if (!past.current && past.good_bytes > 0) upgrade_journal(file, options_.access);
        }
        if (snapshot && snapshot->events > past.events.size())
            throw CorruptState(
                fmt::format("'{}' ends at event {}", file, past.events.size()),
                fmt::format("the newest checkpoint includes event {}", snapshot->events),
                "restore the journal from a copy or start a new run");
        journal_.emplace(file, past.good_bytes == 0 ? 0 : past.events.size() + 1, options_.access);
        if (!resumed_) return std::nullopt;
        for (const Event& event : past.events) remember(event);
        note_changes();
        Recovery recovery;
        const std::size_t included = snapshot ? snapshot->events : 0;
        if (snapshot)
            snapshot->state.engine.spent =
                spent_in(past.events, included, options_.engine->settings().budget);
        recovery.events.assign(
            std::make_move_iterator(past.events.begin() + static_cast<std::ptrdiff_t>(included)),
            std::make_move_iterator(past.events.end()));
        if (snapshot) recovery.snapshot = std::move(snapshot->state);
        return recovery;
    }

    void record(const Event& event) override {
        const Timer timer(seconds_);
        journal_->add(event);
        remember(event);
    }

    void commit() override {
        const Timer timer(seconds_);
        journal_->commit();
    }

    void snapshot(const EngineState& engine,
                  const std::map<CandidateId, InFlight>& in_flight) override {
        const Timer timer(seconds_);
        journal_->sync();
        snapshots_.write(encode_snapshot(engine, in_flight, journal_->next() - 1));
    }

    void publish(const Progress& progress, const std::vector<ArchiveMember>& front,
                 bool tables) override {
        const Timer timer(seconds_);
        write(path("status.json"), pretty(status_json(progress)), Durability::process_crash);
        note_progress(progress);
        if (!tables) return;
        const std::vector<CompletedCandidate> reported = reported_rows();
        std::vector<const CompletedCandidate*> all;
        for (const CompletedCandidate& row : reported) all.push_back(&row);
        // So that whoever reads the table finds the models of its rows.
        const std::set<std::string> shown = show_models(front);
        write(path("pareto.csv"), pareto_table(layout_, front), Durability::process_crash);
        write(path("evaluations.csv"), evaluations_table(layout_, all), Durability::process_crash);
        remove_models_but(shown);
    }

    void add_devices(const std::vector<std::string>& devices) override {
        Json records = provenance_.value("devices", Json::array());
        bool grown = false;
        for (const std::string& text : devices) {
            Json device = parse_json(text, "device record");
            const bool known = std::any_of(records.begin(), records.end(), [&](const Json& record) {
                return without_conditions(record) == without_conditions(device);
            });
            if (known || records.size() >= max_device_records) continue;
            records.push_back(std::move(device));
            grown = true;
        }
        if (!grown) return;
        provenance_["devices"] = std::move(records);
        describe();
    }

    [[nodiscard]] double seconds() const override { return seconds_; }

  private:
    [[nodiscard]] std::string path(const std::string& name) const {
        return options_.path + '/' + name;
    }
    [[nodiscard]] bool exists(const std::string& name) const { return fs::exists(path(name)); }

    /// The journal and the checkpoints are the run; results are worth keeping even without them. A
    /// start that failed before its first candidate holds nothing, and its name may be used again.
    [[nodiscard]] bool holds_run() const {
        return has_events(path("journal.jsonl")) || !snapshots_.empty() ||
               exists("evaluations.csv");
    }

    void write(const std::string& file, const std::string& bytes,
               Durability durability = Durability::power_cut) const {
        write_file_atomic(file, bytes, durability, options_.access);
    }
    void describe() const { write(path("provenance.json"), pretty(provenance_)); }

    void start_fresh() {
        if (holds_run())
            throw ConfigError(fmt::format("'{}' holds a run already", options_.path),
                              "its results would be overwritten",
                              "go on with it by --resume, or choose another --run-dir");
        make_inner_folder(path("checkpoint"), options_.access);
        write(path("config.ini"), options_.config_text);
        conditions_.emplace(options_.conditions, about_start());
        write(path("conditions.json"), pretty(conditions_->json()));
        provenance_ = options_.provenance;
        provenance_["identity"] = identity_of(*options_.engine);
        provenance_["version"] = version();
        provenance_["build"] = build_description();
        provenance_["started_ms"] = unix_milliseconds();
        note_start();
        describe();
    }

    [[nodiscard]] Json about_start() const {
        return {{"since_ms", unix_milliseconds()},
                {"build", build_description()},
                {"host", options_.provenance.value("host", "")}};
    }

    void note_start() {
        provenance_["starts"].push_back({{"time_ms", unix_milliseconds()},
                                         {"build", build_description()},
                                         {"host", options_.provenance.value("host", "")},
                                         {"ranks", options_.provenance.value("ranks", 1)},
                                         {"conditions", conditions_->current()}});
    }

    void reopen() {
        provenance_ = read_provenance(path("provenance.json"));
        if (!provenance_.contains("identity"))
            throw CorruptState(fmt::format("'{}' has no identity", path("provenance.json")));
        conditions_ = exists("conditions.json")
                          ? ConditionsTable::read(path("conditions.json"), options_.earlier)
                          : ConditionsTable(
                                options_.earlier,
                                {{"build", provenance_.value("build", "")}, {"known", "in part"}});
        conditions_->start(options_.conditions, options_.allow_changed, options_.path,
                           about_start());
        require_same_run(provenance_.at("identity"), identity_of(*options_.engine), options_.path);
        make_inner_folder(path("checkpoint"), options_.access);
    }

    /// Notes in the files of a run that is continued what this start does differently.
    void note_changes() {
        const std::string now = options_.config_text;
        if (exists("config.ini") &&
            settings_in(read_file(path("config.ini"))) != settings_in(now)) {
            int number = 1;
            while (exists(fmt::format("config-{}.ini", number))) ++number;
            fs::rename(path("config.ini"), path(fmt::format("config-{}.ini", number)));
        }
        write(path("config.ini"), now);
        write(path("conditions.json"), pretty(conditions_->json()));
        note_start();
        describe();
        if (conditions_->current() == condition_) return;
        const Note note = conditions_note(conditions_->current());
        journal_->add(note);
        remember(note);
    }

    void remember(const Event& event) {
        if (const Note* note = std::get_if<Note>(&event))
            condition_ = conditions_in(*note).value_or(condition_);
        if (const TrainingStarted* started = std::get_if<TrainingStarted>(&event))
            made_under(started->id);
        if (const PartDone* part = std::get_if<PartDone>(&event)) {
            made_under(part->outcome.id);
            if (!part->outcome.device.empty())
                layout_.devices[part->part.device_class][part->outcome.id] = part->outcome.device;
        }
        if (const Told* told = std::get_if<Told>(&event)) {
            if (layout_.conditions.count(design_of(told->completed.candidate.id)) == 0)
                made_under(told->completed.candidate.id);
            if (repeat_of(told->completed.candidate.id) > 0) return;  // no row of its own
            CompletedCandidate& row = rows_[told->completed.candidate.id] = told->completed;
            row.candidate.design.reset();
            row.candidate.known.clear();
            row.settled.clear();
        }
    }

    /// Something of this candidate was begun or done under the present conditions.
    void made_under(CandidateId id) {
        std::vector<int>& numbers = layout_.conditions[design_of(id)];
        if (std::find(numbers.begin(), numbers.end(), condition_) == numbers.end())
            numbers.push_back(condition_);
    }

    /// Rows of evaluations.csv: designs that were confirmed by the means of their repeats.
    [[nodiscard]] std::vector<CompletedCandidate> reported_rows() const {
        const auto& results = options_.engine->state().confirmation.results;
        const Noise noise(results);
        std::vector<CompletedCandidate> rows;
        for (const auto& [id, row] : rows_) {
            rows.push_back(as_reported(row, results, noise));
            if (const auto repeats = results.find(id); repeats != results.end())
                rows.back().training_seconds += repeats->second.seconds;
        }
        return rows;
    }

    /// One line for each number of candidates that were done when somebody looked.
    void note_progress(const Progress& progress) {
        if (!progress_file_) {
            const bool begun = exists("progress.csv");
            progress_file_.emplace(path("progress.csv"), options_.access);
            if (!begun) progress_file_->append(progress_header(layout_));
        }
        if (noted_done_ == progress.done) return;
        noted_done_ = progress.done;
        progress_file_->append(progress_row(layout_, progress, unix_milliseconds()));
    }

    /// models/ has the designs of the front. @return the names of their folders.
    [[nodiscard]] std::set<std::string> show_models(const std::vector<ArchiveMember>& front) const {
        std::set<std::string> shown;
        for (const ArchiveMember& member : front) {
            const Candidate& candidate = member.completed.candidate;
            if (!candidate.design) continue;
            shown.insert(std::to_string(candidate.id));
            const std::string folder = path(fmt::format("models/{}", candidate.id));
            if (fs::exists(folder + "/spec.json")) continue;
            make_inner_folder(path("models"), options_.access);
            make_inner_folder(folder, options_.access);
            write(folder + "/spec.json", pretty(candidate.design->spec().to_json()),
                  Durability::process_crash);
        }
        return shown;
    }

    /// What we wrote for others goes.
    void remove_models_but(const std::set<std::string>& shown) const {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(path("models"), ignored)) {
            if (shown.count(entry.path().filename()) > 0) continue;
            for (const char* ours : {"spec.json", "weights.safetensors", "weights.safetensors.tmp"})
                fs::remove(entry.path() / ours, ignored);
            fs::remove(entry.path(), ignored);  // not if somebody put more there
        }
    }

    RunDirectoryOptions options_;
    Descriptor lock_;  ///< keeps a second process out
    SnapshotFolder snapshots_;
    TableLayout layout_;
    Json provenance_;
    std::optional<ConditionsTable> conditions_;
    int condition_ = 1;  ///< number of the conditions of the newest event
    bool resumed_ = false;
    double seconds_ = 0;  ///< RunDirectory::seconds()
    std::optional<JournalWriter> journal_;
    std::map<CandidateId, CompletedCandidate> rows_;  ///< of evaluations.csv
    std::optional<AppendFile> progress_file_;
    std::optional<std::uint64_t> noted_done_;  ///< in the last line of progress.csv of this start
};

}  // namespace

std::unique_ptr<RunDirectory> open_run(RunDirectoryOptions options) {
    EDGELOOP_EXPECT(options.engine != nullptr, "a run directory needs the engine");
    if (options.mode == StartMode::resume && !fs::is_directory(options.path))
        throw ConfigError(fmt::format("there is no run to resume in '{}'", options.path), {},
                          "check --run-dir, or start without --resume");
    return std::make_unique<OpenDirectory>(std::move(options));
}

}  // namespace edgeloop
