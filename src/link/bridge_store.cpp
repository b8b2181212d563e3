#include "edgeloop/link/bridge_store.hpp"

#include "link/journal_records.hpp"
#include "link/sqlite.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/messages.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

/// Between two times that the log is emptied, which costs four syncs while nobody is answered.
constexpr double checkpoint_every_s = 1;
constexpr int max_log_pages = 10'000;
constexpr std::size_t page_bytes = 16'384;
constexpr std::size_t log_header_bytes = 32, log_page_bytes = 24 + page_bytes;
constexpr std::size_t change_counter_at = 24;  ///< in a database's header
constexpr std::size_t replay_commit = 1000;    ///< records
constexpr std::size_t max_named_losses = 20;

/// Of the tables. Another release raises it and changes the tables' text, so that damage to one of
/// the two is not taken for another release.
constexpr const char* version = "1";
enum Kind : std::size_t { job_table, result_table };
constexpr Kind kinds[] = {job_table, result_table};
constexpr const char* names[] = {"job", "result"};
constexpr const char* schema[] = {
    "CREATE TABLE job(age INTEGER PRIMARY KEY, id INTEGER, body BLOB)",
    "CREATE INDEX job_copy ON job(id, body)",
    "CREATE TABLE result(age INTEGER PRIMARY KEY, id INTEGER, body BLOB)",
    "CREATE INDEX result_copy ON result(id, body)"};

struct Row {
    std::uint64_t age = 0;  ///< larger is newer; 0: the newest
    std::uint64_t id = 0;
    std::string body;  ///< sealed records
};

bool is_sound(const Row& row) {
    std::size_t strange = row.body.empty() ? 1 : 0;
    const auto count = [&](const Envelope& record) { strange += record.request_id != row.id; };
    return for_each_record(row.body, count) == 0 && strange == 0;
}

Row row_of(const sqlite::Statement& rows) {
    return {rows.number(0), rows.number(1), rows.bytes(2)};
}

/// A copy of a damaged file, and of its log, with the first page of a new one: header and tables,
/// which are alike in all files. @return its path.
std::string patch_first_page(const std::string& damaged, const std::string& fresh) {
    std::string page(page_bytes, '\0');
    std::ifstream(fresh, std::ios::binary)
        .read(page.data(), static_cast<std::streamsize>(page.size()));
    page[change_counter_at] ^= 1;  // then the number of pages in the header does not count
    const std::string patched = damaged + ".patched";
    for (const char* suffix : {"", "-wal"})
        if (fs::exists(damaged + suffix))
            fs::copy_file(damaged + suffix, patched + suffix, fs::copy_options::overwrite_existing);
    std::fstream(patched, std::ios::binary | std::ios::in | std::ios::out) << page;
    return patched;
}

}  // namespace

/// The database. All calls throw sqlite::Damaged and IoError.
class BridgeStore::Tables {
  public:
    /// @param journal_mode  of SQLite; "OFF" for a new file that nobody uses before it is complete.
    Tables(const std::string& path, const char* journal_mode)
        : path_(path),
          database_(open(path, journal_mode)),
          tables_{make_table(job_table), make_table(result_table)} {}

    /// Reads all of it. @throws CorruptState  another release's.
    void check() {
        const std::string found = database_.run("PRAGMA integrity_check(1)");
        if (found != "ok") damaged(found);
        database_.run(fmt::format("PRAGMA user_version={}", version));  // it can be written to
    }
    [[nodiscard]] std::optional<Row> find(Kind kind, std::uint64_t id) {
        sqlite::Statement& rows = tables_[kind].find.with(id);
        if (!rows.step()) return std::nullopt;
        Row row = row_of(rows);
        while (rows.step()) {  // to the end, where it lets go of the file
        }
        if (!is_sound(row)) damaged(fmt::format("{} {:016x} is damaged", names[kind], id));
        return row;
    }
    void put(Kind kind, const Row& row) {
        erase(kind, row.id);
        Table& table = tables_[kind];
        const auto add = [&](std::uint64_t age) {
            table.add.with(age, row.id, std::string_view(row.body)).step();
            return database_.changes() > 0;
        };
        if (!add(row.age)) add(0);  // its age, from a damaged file, is taken
        ++table.count;
    }
    void erase(Kind kind, std::uint64_t id) {
        begin();
        tables_[kind].erase.with(id).step();
        tables_[kind].count -= static_cast<std::size_t>(database_.changes());
    }
    [[nodiscard]] std::vector<OpenJob> open_jobs() {
        std::vector<OpenJob> open;
        auto rows = database_.prepare("SELECT age, id, body FROM job ORDER BY age");
        while (rows.step()) {
            OpenJob& job = open.emplace_back();
            for_each_record(rows.bytes(2), [&](const Envelope& record) { apply(record, job); });
        }
        return open;
    }
    [[nodiscard]] std::size_t count(Kind kind) const { return tables_[kind].count; }
    void keep_newest_results(std::size_t max_results) {
        std::size_t& count = tables_[result_table].count;
        if (count <= max_results + max_results / 1024) return;
        begin();
        database_.run(fmt::format(
            "DELETE FROM result WHERE age IN (SELECT age FROM result ORDER BY age LIMIT {})",
            count - max_results));
        count -= static_cast<std::size_t>(database_.changes());
    }
    /// @return whether there was something to make durable.
    bool commit() {
        if (changed_) database_.run("COMMIT");
        return std::exchange(changed_, false);
    }
    /// Empties the write-ahead log.
    void checkpoint() { database_.run("PRAGMA wal_checkpoint(TRUNCATE)"); }
    /// Bytes of the write-ahead log that SQLite has read.
    [[nodiscard]] std::size_t log_bytes() {
        return log_header_bytes +
               log_page_bytes * std::stoul(database_.run("PRAGMA wal_checkpoint", 1));
    }
    /// Adds what a damaged file holds. @return what is lost, in words.
    std::string salvage(const std::string& path) {
        std::set<std::pair<Kind, std::uint64_t>> bad;
        const auto read = [&](const std::string& file) {
            const bool complete = copy(file, bad);
            for (auto at = bad.begin(); at != bad.end();)
                at = find(at->first, at->second) ? bad.erase(at) : std::next(at);
            return complete;
        };
        bool complete = read(path);
        if (!complete || !bad.empty()) {
            const std::string patched = patch_first_page(path, path_);
            complete |= read(patched);
            for (const char* suffix : {"", "-wal"}) fs::remove(patched + suffix);
        }
        std::vector<std::string> lost;
        for (const auto& [kind, id] : bad)
            lost.push_back(fmt::format("{} {:016x}", names[kind], id));
        std::string text = lost.empty() ? "nothing" : fmt::format("{} records", lost.size());
        if (lost.size() > max_named_losses) lost.resize(max_named_losses);
        if (!lost.empty()) text += fmt::format(" ({})", fmt::join(lost, ", "));
        return complete ? text : text + " that is known of, and what only stood on damaged pages";
    }

  private:
    struct Table {
        sqlite::Statement find, add, erase;
        std::size_t count;
    };

    sqlite::Database open(const std::string& path, const char* journal_mode) const {
        sqlite::Database database(path);
        database.run(fmt::format("PRAGMA page_size={}", page_bytes));
        database.run(fmt::format("PRAGMA journal_mode={}", journal_mode));
        database.run("PRAGMA synchronous=FULL");
        database.run(fmt::format("PRAGMA wal_autocheckpoint={}", max_log_pages));
        const char* read_schema = "SELECT group_concat(sql, ';') FROM sqlite_schema";
        std::string found = database.run(read_schema);
        if (found.empty() && std::stoul(database.run("PRAGMA page_count")) <= 1) {
            database.run("BEGIN");
            for (const char* sql : schema) database.run(sql);
            database.run(fmt::format("PRAGMA user_version={}", version));
            database.run("COMMIT");
            found = database.run(read_schema);
        }
        if (found == fmt::format("{}", fmt::join(schema, ";"))) return database;
        const std::string theirs = database.run("PRAGMA user_version");
        if (theirs == version) damaged("its tables are other ones");
        throw CorruptState(fmt::format("'{}' has version {} of the bridge's store", path, theirs),
                           fmt::format("this release reads version {}", version));
    }
    [[nodiscard]] Table make_table(Kind kind) const {
        const auto prepare = [&](const char* sql) {
            return database_.prepare(fmt::format(sql, names[kind]));
        };
        return {prepare("SELECT age, id, body FROM {} WHERE id=?"),
                prepare("INSERT OR IGNORE INTO {} VALUES(nullif(?, 0), ?, ?)"),
                prepare("DELETE FROM {} WHERE id=?"),
                std::stoul(database_.run(fmt::format("SELECT count(*) FROM {}", names[kind])))};
    }
    [[noreturn]] void damaged(const std::string& why) const {
        throw sqlite::Damaged(fmt::format("'{}' is damaged", path_), why);
    }
    void begin() {
        if (!changed_) database_.run("BEGIN IMMEDIATE");
        changed_ = true;
    }
    /// @param bad  gets what is not sound. @return whether all rows could be read.
    bool copy(const std::string& path, std::set<std::pair<Kind, std::uint64_t>>& bad) {
        const sqlite::Database source(path);
        bool all_complete = true;
        for (const Kind kind : kinds) {
            bool complete = false;
            for (const char* place :
                 {"NOT INDEXED ORDER BY age{1}", "INDEXED BY {0}_copy ORDER BY id{1}, body{1}"})
                for (const char* direction : {"", " DESC"})  // up to the damage, from either side
                    try {
                        auto rows = source.prepare(
                            fmt::format("SELECT age, id, body FROM {} ", names[kind]) +
                            fmt::format(place, names[kind], direction));
                        while (rows.step()) {
                            const Row row = row_of(rows);
                            if (!is_sound(row))
                                bad.emplace(kind, row.id);
                            else if (!find(kind, row.id))
                                put(kind, row);
                        }
                        complete = true;
                        break;
                    } catch (const sqlite::Damaged&) {
                    }
            all_complete &= complete;
        }
        return all_complete;
    }

    std::string path_;
    sqlite::Database database_;
    std::array<Table, 2> tables_;
    bool changed_ = false;
};

BridgeStore::~BridgeStore() = default;

BridgeStore::BridgeStore(const BridgeStoreOptions& options)
    : options_(options), path_(options.folder + "/store.db") {
    make_own_folder(options_.folder, options_.access);
    lock_ = lock_file(options_.folder + "/lock");
    if (lock_.get() < 0)
        throw ConfigError(fmt::format("'{}' is in use by another bridge", options_.folder), {},
                          "give this one a folder of its own");
    // A repair was interrupted after it was done.
    if (!fs::exists(path_) && fs::exists(path_ + ".repaired"))
        fs::rename(path_ + ".repaired", path_);
    // SQLite gives its log the mode that the database has.
    static_cast<void>(open_own_file(path_, O_RDWR | O_CREAT, options_.access));
    open();
    const std::string journal = options_.folder + "/journal";
    if (fs::exists(journal)) take_over(journal);
    log::info("{}: {} jobs open, {} results", options_.folder, tables_->count(job_table),
              results());
}

void BridgeStore::open() {
    const std::string log = fs::exists(path_ + "-wal") ? read_file(path_ + "-wal") : std::string();
    std::size_t used = 0;
    try {
        tables_ = std::make_unique<Tables>(path_, "WAL");
        used = tables_->log_bytes();
        tables_->check();
    } catch (const sqlite::Damaged& damage) {
        repair(damage.what());
    }
    if (log.size() <= used) return;
    // SQLite uses its log up to the first damaged page. What follows may have been acknowledged.
    const std::size_t before = results() + tables_->count(job_table);
    replay(std::string_view(log).substr(used));
    log::warning(
        "{}-wal: damaged, or not finished when the bridge was ended, from byte {} of {} on; {} "
        "jobs and results of that part are kept, the rest of it is lost",
        path_, used, log.size(), results() + tables_->count(job_table) - before);
}

std::size_t BridgeStore::replay(std::string_view bytes) {
    std::size_t count = 0;
    const std::size_t passed = for_each_record(bytes, [&](const Envelope& record) {
        apply(record, *this);
        if (++count % replay_commit == 0) commit();
    });
    commit();
    return passed;
}

void BridgeStore::take_over(const std::string& journal) {
    const std::string bytes = read_file(journal);
    const int theirs = envelope_version(record_format, bytes);
    if (theirs >= 0 && theirs != record_format.version)
        (void)open_envelope(record_format, bytes, journal);  // throws, names both
    const std::size_t passed = replay(bytes);
    if (passed > 0) log::warning("{}: {} of {} bytes are damaged", journal, passed, bytes.size());
    fs::rename(journal, journal + ".migrated");
    log::info("{}: taken over into '{}', kept as '{}.migrated'", journal, path_, journal);
}

void BridgeStore::repair(const std::string& why) {
    log::warning("{}; its records are copied to a new file", why);
    tables_.reset();
    const std::string part = path_ + ".part", repaired = path_ + ".repaired";
    fs::remove(part);
    static_cast<void>(open_own_file(part, O_RDWR | O_CREAT, options_.access));
    {
        Tables fresh(part, "OFF");
        const std::string lost = fresh.salvage(path_);
        fresh.commit();
        log::warning("{}: {} jobs and {} results are saved; lost: {}", path_,
                     fresh.count(job_table), fresh.count(result_table), lost);
    }
    const std::string aside = fmt::format("{}.damaged-{}", path_, unix_milliseconds());
    fs::rename(part, repaired);
    for (const char* suffix : {"-wal", ""})
        if (fs::exists(path_ + suffix)) fs::rename(path_ + suffix, aside + suffix);
    fs::rename(repaired, path_);
    sync_folder_of(path_);
    log::warning("the damaged file is kept as '{}'", aside);
    tables_ = std::make_unique<Tables>(path_, "WAL");
}

std::vector<OpenJob> BridgeStore::open_jobs() { return tables_->open_jobs(); }

void BridgeStore::add_job(const OpenJob& open) {
    tables_->put(job_table, {0, open.id, seal_job(open)});
}

void BridgeStore::add_to_job(std::uint64_t id, const std::string& record) {
    auto row = tables_->find(job_table, id);
    if (!row) return;
    row->body += record;
    tables_->put(job_table, *row);
}

void BridgeStore::set_losses(std::uint64_t id, int count) {
    add_to_job(id, seal_record(RecordType::losses, id, std::to_string(count)));
}

void BridgeStore::give_job(std::uint64_t id, const std::string& device) {
    add_to_job(id, seal_record(RecordType::given, id, device));
}

void BridgeStore::drop_job(std::uint64_t id) { tables_->erase(job_table, id); }

void BridgeStore::add_result(std::uint64_t id, const MeasurementResult& measured) {
    tables_->put(result_table,
                 {0, id, seal_record(RecordType::result, id, wire::encode_result(measured))});
    tables_->erase(job_table, id);
}

std::optional<MeasurementResult> BridgeStore::result(std::uint64_t id) {
    std::optional<Row> row;
    try {
        row = tables_->find(result_table, id);
    } catch (const sqlite::Damaged& damage) {  // the disk changed under us
        tables_->commit();
        repair(damage.what());
        row = tables_->find(result_table, id);
    }
    if (!row) return std::nullopt;
    return wire::decode_result(open_envelope(record_format, row->body, path_).payload, path_);
}

std::size_t BridgeStore::results() const { return tables_->count(result_table); }

void BridgeStore::commit() {
    tables_->keep_newest_results(options_.max_results);
    if (tables_->commit()) {
        in_log_ = true;
    } else if (in_log_ && steady_seconds() - checkpoint_s_ > checkpoint_every_s) {
        tables_->checkpoint();
        in_log_ = false;
        checkpoint_s_ = steady_seconds();
    }
}

}  // namespace edgeloop
