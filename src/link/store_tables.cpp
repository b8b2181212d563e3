#include "link/store_tables.hpp"

#include "link/journal_records.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

constexpr int max_log_pages = 10'000;
constexpr std::size_t page_bytes = 16'384;
constexpr std::size_t change_counter_at = 24;  ///< in a database's header
constexpr std::size_t max_named_losses = 20;
/// The results that go at once when there are too many bytes of them: one in so many.
constexpr std::size_t share_to_trim = 1024;

/// Of the tables. Another release raises it and changes the tables' text, so that damage to one of
/// the two is not taken for another release.
constexpr const char* version = "1";
constexpr StoreKind kinds[] = {StoreKind::job, StoreKind::result};
constexpr const char* schema[] = {
    "CREATE TABLE job(age INTEGER PRIMARY KEY, id INTEGER, body BLOB)",
    "CREATE INDEX job_copy ON job(id, body)",
    "CREATE TABLE result(age INTEGER PRIMARY KEY, id INTEGER, body BLOB)",
    "CREATE INDEX result_copy ON result(id, body)"};

const char* name_of(StoreKind kind) { return kind == StoreKind::job ? "job" : "result"; }

bool is_sound(const StoreRow& row) {
    std::size_t strange = row.body.empty() ? 1 : 0;
    const auto count = [&](const Envelope& record) { strange += record.request_id != row.id; };
    return for_each_record(row.body, count) == 0 && strange == 0;
}

StoreRow row_of(const sqlite::Statement& rows) {
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

StoreTables::StoreTables(const std::string& path, const char* journal_mode)
    : path_(path),
      database_(open(path, journal_mode)),
      tables_{make_table(StoreKind::job), make_table(StoreKind::result)} {}

sqlite::Database StoreTables::open(const std::string& path, const char* journal_mode) const {
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

StoreTables::Table StoreTables::make_table(StoreKind kind) const {
    const auto prepare = [&](const char* sql) {
        return database_.prepare(fmt::format(sql, name_of(kind)));
    };
    return {prepare("SELECT age, id, body FROM {} WHERE id=?"),
            prepare("INSERT OR IGNORE INTO {} VALUES(nullif(?, 0), ?, ?)"),
            prepare("DELETE FROM {} WHERE id=? RETURNING length(body)"),
            {std::stoul(database_.run(fmt::format("SELECT count(*) FROM {}", name_of(kind)))), 0}};
}

void StoreTables::damaged(const std::string& why) const {
    throw sqlite::Damaged(fmt::format("'{}' is damaged", path_), why);
}

void StoreTables::check() {
    const std::string found = database_.run("PRAGMA integrity_check(1)");
    if (found != "ok") damaged(found);
    weigh();
}

void StoreTables::weigh() {
    for (const StoreKind kind : kinds)
        table(kind).size.bytes = std::stoull(database_.run(fmt::format(
            "SELECT coalesce(sum(length(body)), 0) FROM {} NOT INDEXED", name_of(kind))));
}

void StoreTables::touch() { database_.run(fmt::format("PRAGMA user_version={}", version)); }

void StoreTables::transact(const std::function<void()>& change) {
    const std::array<Size, 2> before{tables_[0].size, tables_[1].size};
    database_.run("BEGIN IMMEDIATE");
    try {
        change();
        database_.run("COMMIT");
    } catch (...) {
        for (std::size_t i = 0; i < tables_.size(); ++i) tables_[i].size = before[i];
        database_.roll_back();
        throw;
    }
}

std::optional<StoreRow> StoreTables::find(StoreKind kind, std::uint64_t id) {
    sqlite::Statement& rows = table(kind).find.with(id);
    if (!rows.step()) return std::nullopt;
    StoreRow row = row_of(rows);
    while (rows.step()) {  // to the end, where it lets go of the file
    }
    if (!is_sound(row)) damaged(fmt::format("{} {:016x} is damaged", name_of(kind), id));
    return row;
}

void StoreTables::put(StoreKind kind, const StoreRow& row) {
    erase(kind, row.id);
    Table& to = table(kind);
    const auto add = [&](std::uint64_t age) {
        to.add.with(age, row.id, std::string_view(row.body)).step();
        return database_.changes() > 0;
    };
    if (!add(row.age)) add(0);  // its age, from a damaged file, is taken
    ++to.size.rows;
    to.size.bytes += row.body.size();
}

/// Runs a statement that returns the sizes of what it removes.
void StoreTables::count_out(Size& size, sqlite::Statement& removed) {
    while (removed.step()) {
        size.bytes -= std::min(size.bytes, removed.number(0));
        size.rows -= std::min<std::size_t>(size.rows, 1);
    }
}

void StoreTables::erase(StoreKind kind, std::uint64_t id) {
    count_out(table(kind).size, table(kind).erase.with(id));
}

std::vector<StoreRow> StoreTables::rows(StoreKind kind) {
    std::vector<StoreRow> all;
    auto rows =
        database_.prepare(fmt::format("SELECT age, id, body FROM {} ORDER BY age", name_of(kind)));
    while (rows.step()) all.push_back(row_of(rows));
    return all;
}

bool StoreTables::is_over(std::size_t max_results, std::uint64_t max_bytes) const {
    const Size& size = table(StoreKind::result).size;
    return size.rows > max_results + max_results / share_to_trim ||
           (size.bytes > max_bytes && size.rows > 0);
}

void StoreTables::trim(std::size_t max_results, std::uint64_t max_bytes) {
    Size& size = table(StoreKind::result).size;
    while (is_over(max_results, max_bytes)) {
        const std::size_t rows =
            size.rows > max_results ? size.rows - max_results : size.rows / share_to_trim + 1;
        auto removed = database_.prepare(fmt::format(
            "DELETE FROM result WHERE age IN (SELECT age FROM result ORDER BY age LIMIT {}) "
            "RETURNING length(body)",
            rows));
        const std::size_t before = size.rows;
        count_out(size, removed);
        if (size.rows == before) damaged("its results cannot be counted");
    }
}

void StoreTables::checkpoint() { database_.run("PRAGMA wal_checkpoint(TRUNCATE)"); }

std::string StoreTables::salvage(const std::string& path) {
    Found bad;
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
        for (const char* suffix : {"-wal", ""}) fs::remove(patched + suffix);
    }
    std::vector<std::string> lost;
    for (const auto& [kind, id] : bad) lost.push_back(fmt::format("{} {:016x}", name_of(kind), id));
    std::string text = lost.empty() ? "nothing" : fmt::format("{} records", lost.size());
    if (lost.size() > max_named_losses) lost.resize(max_named_losses);
    if (!lost.empty()) text += fmt::format(" ({})", fmt::join(lost, ", "));
    return complete ? text : text + " that is known of, and what only stood on damaged pages";
}

/// @param bad  gets what is not sound. @return whether all rows could be read.
bool StoreTables::copy(const std::string& path, Found& bad) {
    const sqlite::Database source(path);
    bool complete = true;
    for (const StoreKind kind : kinds) complete &= copy_table(source, kind, bad);
    return complete;
}

bool StoreTables::copy_table(const sqlite::Database& source, StoreKind kind, Found& bad) {
    bool complete = false;
    for (const char* place :
         {"NOT INDEXED ORDER BY age{1}", "INDEXED BY {0}_copy ORDER BY id{1}, body{1}"})
        for (const char* direction : {"", " DESC"})  // up to the damage, from either side
            try {
                auto rows =
                    source.prepare(fmt::format("SELECT age, id, body FROM {} ", name_of(kind)) +
                                   fmt::format(place, name_of(kind), direction));
                while (rows.step()) {
                    const StoreRow row = row_of(rows);
                    if (!is_sound(row))
                        bad.emplace(kind, row.id);
                    else if (!find(kind, row.id))
                        put(kind, row);
                }
                complete = true;
                break;
            } catch (const sqlite::Damaged&) {
            }
    return complete;
}

}  // namespace edgeloop
