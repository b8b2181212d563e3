#include "edgeloop/link/bridge_store.hpp"

#include "link/journal_records.hpp"
#include "link/store_tables.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

namespace edgeloop {
namespace {

namespace fs = std::filesystem;

/// Between two times that the log is emptied, which costs four syncs while nobody is answered.
constexpr double checkpoint_every_s = 1;
/// Between two tries to write, and to repair, which reads everything.
constexpr double write_again_s = 1, repair_again_s = 30;
constexpr std::size_t replay_commit = 1000;          ///< records
constexpr std::size_t max_pending_bytes = 64 << 20;  ///< results that wait for a disk with room

OpenJob open_job_in(const std::string& body) {
    OpenJob job;
    for_each_record(body, [&](const Envelope& record) { apply(record, job); });
    return job;
}

}  // namespace

BridgeStore::~BridgeStore() = default;

BridgeStore::BridgeStore(const BridgeStoreOptions& options)
    : options_(options),
      path_(options.folder + "/store.db"),
      pending_(std::make_unique<PendingRows>()) {
    make_own_folder(options_.folder, options_.access);
    lock_ = lock_file(options_.folder + "/lock");
    if (lock_.get() < 0)
        throw ConfigError(fmt::format("'{}' is in use by another bridge", options_.folder), {},
                          "give this one a folder of its own");
    files_ = std::make_unique<FileStore>(options_.folder + "/models", options_.access);
    // A repair was interrupted after it was done.
    if (!fs::exists(path_) && fs::exists(path_ + ".repaired"))
        fs::rename(path_ + ".repaired", path_);
    // SQLite gives its log the mode that the database has.
    static_cast<void>(open_own_file(path_, O_RDWR | O_CREAT, options_.access));
    open();
    const std::string journal = options_.folder + "/journal";
    if (fs::exists(journal)) take_over(journal);
    log::info("{}: {} jobs open, {} results", options_.folder, tables_->count(StoreKind::job),
              results());
}

void BridgeStore::open() {
    const std::string log = fs::exists(path_ + "-wal") ? read_file(path_ + "-wal") : std::string();
    std::size_t used = 0;
    try {
        tables_ = std::make_unique<StoreTables>(path_, "WAL");
        used = used_log_bytes(log);
        tables_->check();
        tables_->touch();
    } catch (const sqlite::Damaged& damage) {
        repair(damage.what());
    } catch (const IoError& error) {
        if (!tables_) throw;  // there is nothing to read either
        in_trouble(error.what(), write_again_s);
    }
    if (log.size() <= used) return;
    // SQLite uses its log up to the first damaged page. What follows may have been acknowledged.
    const std::size_t before = results() + tables_->count(StoreKind::job);
    replay(std::string_view(log).substr(used));
    log::warning(
        "{}-wal: damaged, or not finished when the bridge was ended, from byte {} of {} on; {} "
        "jobs and results of that part are kept, the rest of it is lost",
        path_, used, log.size(), results() + tables_->count(StoreKind::job) - before);
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
    if (!pending_->empty())
        throw IoError(fmt::format("cannot take '{}' over", journal), trouble_,
                      "free some space and start again");
    if (passed > 0) log::warning("{}: {} of {} bytes are damaged", journal, passed, bytes.size());
    fs::rename(journal, journal + ".migrated");
    log::info("{}: taken over into '{}', kept as '{}.migrated'", journal, path_, journal);
}

/// Saves what is sound in a new file, which takes the damaged one's place. @throws IoError.
void BridgeStore::repair(const std::string& why) {
    // What is damaged again at once lies on a disk that cannot keep it.
    if (steady_seconds() < repair_again_s_) throw IoError(why);
    repair_again_s_ = steady_seconds() + repair_again_s;
    log::warning("{}; its records are copied to a new file", why);
    tables_.reset();
    try {
        replace_file();
    } catch (const fs::filesystem_error& error) {
        in_trouble(error.what(), repair_again_s);
        throw IoError(why, error.what());
    } catch (const IoError& error) {
        in_trouble(error.what(), repair_again_s);
        throw;
    }
}

void BridgeStore::replace_file() {
    const std::string part = path_ + ".part", repaired = path_ + ".repaired";
    if (fs::exists(path_)) {  // else it is aside since the last try
        copy_to(part);
        fs::rename(part, repaired);
        const std::string aside = fmt::format("{}.damaged-{}", path_, unix_milliseconds());
        for (const char* suffix : {"-wal", ""})
            if (fs::exists(path_ + suffix)) fs::rename(path_ + suffix, aside + suffix);
        log::warning("the damaged file is kept as '{}'", aside);
    }
    fs::rename(repaired, path_);
    sync_folder_of(path_);
    tables_ = std::make_unique<StoreTables>(path_, "WAL");
    tables_->weigh();
}

void BridgeStore::copy_to(const std::string& path) {
    fs::remove(path);
    try {
        static_cast<void>(open_own_file(path, O_RDWR | O_CREAT, options_.access));
        StoreTables fresh(path, "OFF");
        std::string lost;
        fresh.transact([&] { lost = fresh.salvage(path_); });
        log::warning("{}: {} jobs and {} results are saved; lost: {}", path_,
                     fresh.count(StoreKind::job), fresh.count(StoreKind::result), lost);
    } catch (...) {
        std::error_code ignored;
        fs::remove(path, ignored);
        throw;
    }
}

/// The database, opened again if there was no room to repair it. @throws IoError.
StoreTables& BridgeStore::tables() {
    if (tables_) return *tables_;
    if (steady_seconds() < try_again_s_) throw IoError(trouble_);
    repair(fmt::format("'{}' is damaged", path_));
    return *tables_;
}

std::optional<StoreRow> BridgeStore::find(StoreKind kind, std::uint64_t id) {
    if (const StoreRow* row = pending_->find(kind, id))
        return row->body.empty() ? std::nullopt : std::optional(*row);
    try {
        return tables().find(kind, id);
    } catch (const sqlite::Damaged& damage) {  // the disk changed under us
        repair(damage.what());
        return tables().find(kind, id);
    }
}

std::vector<OpenJob> BridgeStore::open_jobs() {
    std::vector<OpenJob> open;
    for (const StoreRow& row : tables().rows(StoreKind::job))
        if (pending_->find(StoreKind::job, row.id) == nullptr)
            open.push_back(open_job_in(row.body));
    for (const StoreRow* row : pending_->rows(StoreKind::job))
        if (!row->body.empty()) open.push_back(open_job_in(row->body));
    return open;
}

void BridgeStore::add_job(const OpenJob& open) {
    pending_->put(StoreKind::job, {0, open.id, seal_job(open)});
}

void BridgeStore::change_job(std::uint64_t id, const std::function<void(OpenJob&)>& change) {
    std::optional<StoreRow> row;
    try {
        row = find(StoreKind::job, id);
    } catch (const IoError& error) {  // after a restart it is as it was
        in_trouble(error.what(), write_again_s);
    }
    if (!row) return;
    OpenJob open = open_job_in(row->body);
    change(open);
    row->body = seal_job(open);
    pending_->put(StoreKind::job, std::move(*row));
}

void BridgeStore::set_losses(std::uint64_t id, int count) {
    change_job(id, [&](OpenJob& open) { open.losses = count; });
}

void BridgeStore::give_job(std::uint64_t id, const std::string& device) {
    change_job(id, [&](OpenJob& open) { open.give_to(device); });
}

void BridgeStore::drop_job(std::uint64_t id) { pending_->erase(StoreKind::job, id); }

void BridgeStore::add_result(std::uint64_t id, const MeasurementResult& measured) {
    pending_->put(StoreKind::result,
                  {0, id, seal_record(RecordType::result, id, wire::encode_result(measured))});
    pending_->erase(StoreKind::job, id);
}

std::optional<MeasurementResult> BridgeStore::result(std::uint64_t id) {
    const auto row = find(StoreKind::result, id);
    if (!row) return std::nullopt;
    return wire::decode_result(open_envelope(record_format, row->body, path_).payload, path_);
}

std::size_t BridgeStore::results() const {
    return (tables_ ? tables_->count(StoreKind::result) : 0) + pending_->count(StoreKind::result);
}

bool BridgeStore::has_room() const { return pending_->bytes() < max_pending_bytes; }

void BridgeStore::in_trouble(const std::string& why, double pause_s) {
    if (trouble_ != why)
        log::error("{}: until this is mended nothing new is accepted or acknowledged", why);
    trouble_ = why;
    try_again_s_ = steady_seconds() + pause_s;
}

void BridgeStore::write() {
    StoreTables& to = tables();
    const bool is_over = to.is_over(options_.max_results, options_.max_result_bytes);
    // What waits may be much, so first something small shows whether it can be written at all.
    if (!trouble_.empty() && !pending_->empty()) to.touch();
    if (!pending_->empty() || is_over) {
        to.transact([&] {
            pending_->apply_to(to);
            to.trim(options_.max_results, options_.max_result_bytes);
        });
        pending_->clear();
        in_log_ = true;
    } else if (!trouble_.empty()) {
        to.touch();
        in_log_ = true;
    } else if (in_log_ && steady_seconds() - checkpoint_s_ > checkpoint_every_s) {
        to.checkpoint();
        in_log_ = false;
        checkpoint_s_ = steady_seconds();
    }
}

bool BridgeStore::commit() {
    if (!trouble_.empty() && steady_seconds() < try_again_s_) return pending_->empty();
    try {
        try {
            write();
        } catch (const sqlite::Damaged& damage) {
            repair(damage.what());
            write();
        }
        if (!trouble_.empty()) log::info("{}: it can be written to again", path_);
        trouble_.clear();
    } catch (const IoError& error) {
        in_trouble(error.what(), tables_ ? write_again_s : repair_again_s);
    }
    return pending_->empty();
}

}  // namespace edgeloop
