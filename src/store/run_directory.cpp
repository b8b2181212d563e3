#include "edgeloop/store/run_directory.hpp"

#include "store/conditions_table.hpp"
#include "store/journal.hpp"
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

Descriptor lock_folder(const std::string& folder) {
    make_directories(folder);
    Descriptor lock = lock_file(folder + "/.lock");
    if (lock.get() < 0)
        throw ConfigError(fmt::format("'{}' is in use by another process", folder),
                          "two searches would spoil each other's files",
                          "wait for the other one or choose another --run-dir");
    return lock;
}

namespace fs = std::filesystem;

Json to_json(const RunIdentity& identity) {
    return {{"seed", identity.seed},
            {"space", identity.space.hex()},
            {"objectives", identity.objectives}};
}

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
        return read_json_file(path);
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

}  // namespace

RunIdentity identity_of(const Engine& engine) {
    const EngineSettings& settings = engine.settings();
    RunIdentity identity;
    identity.seed = settings.seed;
    identity.space = engine.space().identity();
    identity.objectives = settings.goals.text();
    return identity;
}

/// What a run directory consists of while it is open.
struct RunDirectory::Parts {
    explicit Parts(RunDirectoryOptions chosen)
        : options(std::move(chosen)),
          lock(lock_folder(options.path)),
          snapshots(path("checkpoint"), options.snapshots_kept),
          layout{options.space, options.objectives} {}

    [[nodiscard]] std::string path(const std::string& name) const {
        return options.path + '/' + name;
    }
    [[nodiscard]] bool exists(const std::string& name) const { return fs::exists(path(name)); }

    /// The journal and the checkpoints are the run; results are worth keeping even without them. A
    /// start that failed before its first candidate holds nothing, and its name may be used again.
    [[nodiscard]] bool holds_run() const {
        return has_events(path("journal.jsonl")) || !snapshots.empty() || exists("evaluations.csv");
    }

    void describe() const { write_file_atomic(path("provenance.json"), pretty(provenance)); }

    void start_fresh() {
        if (holds_run())
            throw ConfigError(fmt::format("'{}' holds a run already", options.path),
                              "its results would be overwritten",
                              "go on with it by --resume, or choose another --run-dir");
        make_directories(path("checkpoint"));
        write_file_atomic(path("config.ini"), options.config_text);
        conditions.emplace(options.conditions, about_start());
        write_file_atomic(path("conditions.json"), pretty(conditions->json()));
        provenance = options.provenance;
        provenance["identity"] = to_json(options.identity);
        provenance["version"] = version();
        provenance["build"] = build_description();
        provenance["started_ms"] = unix_milliseconds();
        note_start();
        describe();
    }

    [[nodiscard]] Json about_start() const {
        return {{"since_ms", unix_milliseconds()},
                {"build", build_description()},
                {"host", options.provenance.value("host", "")}};
    }

    void note_start() {
        provenance["starts"].push_back({{"time_ms", unix_milliseconds()},
                                        {"build", build_description()},
                                        {"host", options.provenance.value("host", "")},
                                        {"ranks", options.provenance.value("ranks", 1)},
                                        {"conditions", conditions->current()}});
    }

    void reopen() {
        provenance = read_provenance(path("provenance.json"));
        if (!provenance.contains("identity"))
            throw CorruptState(fmt::format("'{}' has no identity", path("provenance.json")));
        conditions =
            exists("conditions.json")
                ? ConditionsTable::read(path("conditions.json"), options.earlier)
                : ConditionsTable(options.earlier,
                                  {{"build", provenance.value("build", "")}, {"known", "in part"}});
        conditions->start(options.conditions, options.allow_changed, options.path, about_start());
        require_same_run(provenance.at("identity"), to_json(options.identity), options.path);
        make_directories(path("checkpoint"));
    }

    /// Notes in the files of a run that is continued what this start does differently.
    void note_changes() {
        const std::string now = options.config_text;
        if (exists("config.ini") &&
            settings_in(read_file(path("config.ini"))) != settings_in(now)) {
            int number = 1;
            while (exists(fmt::format("config-{}.ini", number))) ++number;
            fs::rename(path("config.ini"), path(fmt::format("config-{}.ini", number)));
        }
        write_file_atomic(path("config.ini"), now);
        write_file_atomic(path("conditions.json"), pretty(conditions->json()));
        note_start();
        describe();
        if (conditions->current() == condition) return;
        const Note note = conditions_note(conditions->current());
        journal->add(note);
        remember(note);
    }

    [[nodiscard]] Journal take_journal() const {
        Journal past = read_journal(path("journal.jsonl"));
        if (past.good_bytes < fs::file_size(path("journal.jsonl"))) {
            log::warning("the last line of '{}' was cut off and is left out",
                         path("journal.jsonl"));
            fs::resize_file(path("journal.jsonl"), past.good_bytes);
        }
        if (!past.current && past.good_bytes > 0) upgrade_journal(path("journal.jsonl"));
        return past;
    }

    void remember(const Event& event) {
        if (const Note* note = std::get_if<Note>(&event))
            condition = conditions_in(*note).value_or(condition);
        if (const TrainingStarted* started = std::get_if<TrainingStarted>(&event))
            made_under(started->id);
        if (const PartDone* part = std::get_if<PartDone>(&event)) {
            made_under(part->outcome.id);
            if (!part->outcome.device.empty())
                layout.devices[part->outcome.id] = part->outcome.device;
        }
        if (const Told* told = std::get_if<Told>(&event)) {
            if (layout.conditions.count(told->completed.candidate.id) == 0)
                made_under(told->completed.candidate.id);
            CompletedCandidate& row = rows[told->completed.candidate.id] = told->completed;
            row.candidate.design.reset();
            row.candidate.known.clear();
            row.settled.clear();
        }
    }

    /// Something of this candidate was begun or done under the present conditions.
    void made_under(CandidateId id) {
        std::vector<int>& numbers = layout.conditions[id];
        if (std::find(numbers.begin(), numbers.end(), condition) == numbers.end())
            numbers.push_back(condition);
    }

    void write_tables(const std::vector<ArchiveMember>& front) const {
        write_file_atomic(path("pareto.csv"), pareto_table(layout, front),
                          Durability::process_crash);
        std::vector<const CompletedCandidate*> table;
        table.reserve(rows.size());
        for (const auto& row : rows) table.push_back(&row.second);
        write_file_atomic(path("evaluations.csv"), evaluations_table(layout, table),
                          Durability::process_crash);
    }

    /// One line for each number of candidates that were done when somebody looked.
    void note_progress(const Progress& progress) {
        if (!progress_file) {
            const bool begun = exists("progress.csv");
            progress_file.emplace(path("progress.csv"));
            if (!begun) progress_file->append(progress_header(layout));
        }
        if (noted_done == progress.done) return;
        noted_done = progress.done;
        progress_file->append(progress_row(layout, progress, unix_milliseconds()));
    }

    /// models/ has the designs of the front; what we wrote for others goes.
    void show_models(const std::vector<ArchiveMember>& front) const {
        std::set<std::string> shown;
        for (const ArchiveMember& member : front) {
            const Candidate& candidate = member.completed.candidate;
            if (!candidate.design) continue;
            shown.insert(std::to_string(candidate.id));
            const std::string folder = path(fmt::format("models/{}", candidate.id));
            if (fs::exists(folder + "/spec.json")) continue;
            make_directories(folder);
            write_file_atomic(folder + "/spec.json", pretty(candidate.design->spec().to_json()),
                              Durability::process_crash);
        }
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(path("models"), ignored)) {
            if (shown.count(entry.path().filename()) > 0) continue;
            for (const char* ours : {"spec.json", "weights.safetensors"})
                fs::remove(entry.path() / ours, ignored);
            fs::remove(entry.path(), ignored);  // not if somebody put more there
        }
    }

    RunDirectoryOptions options;
    Descriptor lock;  ///< keeps a second process out
    SnapshotFolder snapshots;
    TableLayout layout;
    Json provenance;
    std::optional<ConditionsTable> conditions;
    int condition = 1;  ///< number of the conditions of the newest event
    bool resumed = false;
    double seconds = 0;  ///< RunDirectory::seconds()
    std::optional<JournalWriter> journal;
    std::map<CandidateId, CompletedCandidate> rows;  ///< of evaluations.csv
    std::optional<AppendFile> progress_file;
    std::optional<std::uint64_t> noted_done;  ///< in the last line of progress.csv of this start
};

namespace {

/// Adds the seconds of its life.
class Timer {
  public:
    explicit Timer(double& total) : total_(total) {}
    ~Timer() { total_ += steady_seconds() - start_; }

  private:
    double& total_;
    double start_ = steady_seconds();
};

}  // namespace

RunDirectory::RunDirectory(RunDirectoryOptions options) {
    EDGELOOP_EXPECT(options.space != nullptr, "a run directory needs the search space");
    if (options.mode == StartMode::resume && !fs::is_directory(options.path))
        throw ConfigError(fmt::format("there is no run to resume in '{}'", options.path), {},
                          "check --run-dir, or start without --resume");
    parts_ = std::make_unique<Parts>(std::move(options));
    parts_->resumed = parts_->options.mode == StartMode::resume && parts_->holds_run();
    if (parts_->resumed) {
        parts_->reopen();
    } else {
        if (parts_->options.mode == StartMode::resume)
            log::info("'{}' holds nothing to resume yet: starting", parts_->options.path);
        parts_->start_fresh();
    }
}

RunDirectory::~RunDirectory() = default;

std::optional<Recovery> RunDirectory::recover() {
    const std::string path = parts_->path("journal.jsonl");
    std::optional<Snapshot> snapshot = parts_->snapshots.newest();
    Journal journal;
    if (fs::exists(path)) journal = parts_->take_journal();
    if (snapshot && snapshot->events > journal.events.size())
        throw CorruptState(fmt::format("'{}' ends at event {}", path, journal.events.size()),
                           fmt::format("the newest checkpoint includes event {}", snapshot->events),
                           "restore the journal from a copy or start a new run");
    parts_->journal.emplace(path, journal.good_bytes == 0 ? 0 : journal.events.size() + 1);
    if (!parts_->resumed) return std::nullopt;
    for (const Event& event : journal.events) parts_->remember(event);
    parts_->note_changes();
    Recovery recovery;
    const std::size_t included = snapshot ? snapshot->events : 0;
    recovery.events.assign(
        std::make_move_iterator(journal.events.begin() + static_cast<std::ptrdiff_t>(included)),
        std::make_move_iterator(journal.events.end()));
    if (snapshot) recovery.snapshot = std::move(snapshot->state);
    return recovery;
}

void RunDirectory::record(const Event& event) {
    const Timer timer(parts_->seconds);
    parts_->journal->add(event);
    parts_->remember(event);
}

void RunDirectory::commit() {
    const Timer timer(parts_->seconds);
    parts_->journal->commit();
}

void RunDirectory::snapshot(const EngineState& engine,
                            const std::map<CandidateId, InFlight>& in_flight) {
    const Timer timer(parts_->seconds);
    parts_->journal->sync();
    parts_->snapshots.write(encode_snapshot(engine, in_flight, parts_->journal->next() - 1));
}

void RunDirectory::publish(const Progress& progress, const std::vector<ArchiveMember>& front,
                           bool tables) {
    const Timer timer(parts_->seconds);
    write_file_atomic(parts_->path("status.json"), pretty(status_json(progress)),
                      Durability::process_crash);
    parts_->note_progress(progress);
    if (!tables) return;
    parts_->write_tables(front);
    parts_->show_models(front);
}

bool RunDirectory::resumed() const { return parts_->resumed; }

double RunDirectory::seconds() const { return parts_->seconds; }

void RunDirectory::add_devices(const std::vector<std::string>& devices) {
    Json records = parts_->provenance.value("devices", Json::array());
    bool grown = false;
    for (const std::string& text : devices) {
        Json device = parse_json(text, "device record");
        const bool known = std::any_of(records.begin(), records.end(), [&](const Json& record) {
            return without_conditions(record) == without_conditions(device);
        });
        if (known) continue;
        records.push_back(std::move(device));
        grown = true;
    }
    if (!grown) return;
    parts_->provenance["devices"] = std::move(records);
    parts_->describe();
}

}  // namespace edgeloop
