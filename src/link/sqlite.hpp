#pragma once

#include "edgeloop/core/error.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <sqlite3.h>

/// As much of SQLite as the bridge's store needs; its errors become ours.
namespace edgeloop::sqlite {

/// What is on the disk cannot be read, or is not what was written.
class Damaged : public IoError {
  public:
    using IoError::IoError;
};

[[noreturn]] inline void fail(sqlite3* database) {
    const std::string what = fmt::format("cannot use '{}'", sqlite3_db_filename(database, "main"));
    const std::string why = sqlite3_errmsg(database);
    const int code = sqlite3_extended_errcode(database), kind = code & 0xff;
    if (kind == SQLITE_FULL) throw IoError(what, why, "free some space");
    if ((kind == SQLITE_IOERR && code != SQLITE_IOERR_READ) || kind == SQLITE_CANTOPEN ||
        kind == SQLITE_NOMEM || kind == SQLITE_PERM || kind == SQLITE_BUSY)
        throw IoError(what, why);
    throw Damaged(what, why);
}

/// A prepared statement; values are bound in their order.
class Statement {
  public:
    Statement(sqlite3* database, const std::string& sql) {
        sqlite3_stmt* made = nullptr;
        if (sqlite3_prepare_v2(database, sql.c_str(), -1, &made, nullptr) != SQLITE_OK)
            fail(database);
        statement_.reset(made);
    }
    /// Starts anew with these values, which must outlive the steps.
    template <class... Values>
    Statement& with(const Values&... values) {
        sqlite3_reset(statement_.get());
        int index = 0;
        (bind(++index, values), ...);
        return *this;
    }
    /// Next row. @return false at the end. @throws Damaged, IoError.
    bool step() {
        const int code = sqlite3_step(statement_.get());
        if (code != SQLITE_ROW && code != SQLITE_DONE) fail(sqlite3_db_handle(statement_.get()));
        return code == SQLITE_ROW;
    }
    [[nodiscard]] std::uint64_t number(int column) const {
        return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column));
    }
    [[nodiscard]] std::string bytes(int column) const {
        const void* data = sqlite3_column_blob(statement_.get(), column);
        const int size = sqlite3_column_bytes(statement_.get(), column);
        return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
    }

  private:
    void bind(int index, std::uint64_t value) {
        sqlite3_bind_int64(statement_.get(), index, static_cast<std::int64_t>(value));
    }
    void bind(int index, std::string_view blob) {
        sqlite3_bind_blob64(statement_.get(), index, blob.data(), blob.size(), SQLITE_STATIC);
    }

    struct Finalizer {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
};

/// A database in a file, used by one connection of one process.
class Database {
  public:
    /// Opens or creates. @throws IoError; damage shows when something is read.
    explicit Database(const std::string& path) {
        sqlite3* made = nullptr;
        const int code = sqlite3_open(path.c_str(), &made);
        database_.reset(made);
        if (code != SQLITE_OK)
            throw IoError(fmt::format("cannot open '{}'", path), sqlite3_errstr(code));
        sqlite3_extended_result_codes(made, 1);
        sqlite3_limit(made, SQLITE_LIMIT_LENGTH, 4 << 20);  // whatever a damaged length says
        run("PRAGMA locking_mode=EXCLUSIVE");               // no file for shared memory
    }
    [[nodiscard]] Statement prepare(const std::string& sql) const { return {database_.get(), sql}; }
    /// Runs a statement. @return a column of its last row, as text; empty without a row.
    std::string run(const std::string& sql, int column = 0) const {
        Statement statement = prepare(sql);
        std::string text;
        while (statement.step()) text = statement.bytes(column);
        return text;
    }
    /// Ends a transaction that failed, unless SQLite has done so itself.
    void roll_back() const {
        if (sqlite3_get_autocommit(database_.get()) != 0) return;
        try {
            run("ROLLBACK");
        } catch (const IoError&) {  // it ends with the connection then
        }
    }
    /// Rows that the last statement added or removed.
    [[nodiscard]] int changes() const { return sqlite3_changes(database_.get()); }

  private:
    struct Closer {
        void operator()(sqlite3* database) const { sqlite3_close(database); }
    };
    std::unique_ptr<sqlite3, Closer> database_;
};

}  // namespace edgeloop::sqlite
