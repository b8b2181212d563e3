#pragma once

#include "link/sqlite.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edgeloop {

/// The tables of a bridge's store.
enum class StoreKind : std::size_t { job, result };

struct StoreRow {
    std::uint64_t age = 0;  ///< larger is newer; 0: the newest
    std::uint64_t id = 0;
    std::string body;  ///< sealed records
};

/// The bridge's database: two tables, each record there twice. src/link/README.md describes it.
/// All calls throw sqlite::Damaged and IoError.
class StoreTables {
  public:
    /// @param journal_mode  of SQLite; "OFF" for a new file that nobody uses before it is complete.
    /// @throws CorruptState  another release's.
    StoreTables(const std::string& path, const char* journal_mode);

    /// Reads all of it, and weighs it.
    void check();
    /// Finds out how many bytes there are.
    void weigh();
    /// Writes something, to see whether that is possible.
    void touch();
    /// Makes all that `change` does durable, or none of it.
    void transact(const std::function<void()>& change);

    [[nodiscard]] std::optional<StoreRow> find(StoreKind kind, std::uint64_t id);
    /// Replaces what is there of this id. REQUIRES: within transact(), as erase() and trim().
    void put(StoreKind kind, const StoreRow& row);
    void erase(StoreKind kind, std::uint64_t id);
    /// All rows, oldest first.
    [[nodiscard]] std::vector<StoreRow> rows(StoreKind kind);
    [[nodiscard]] std::size_t count(StoreKind kind) const { return table(kind).size.rows; }
    /// Bytes of all bodies, each once, when they have been weighed.
    [[nodiscard]] std::uint64_t bytes(StoreKind kind) const { return table(kind).size.bytes; }

    /// Whether there are so many results that the oldest have to go.
    [[nodiscard]] bool is_over(std::size_t max_results, std::uint64_t max_bytes) const;
    void trim(std::size_t max_results, std::uint64_t max_bytes);

    /// Empties the write-ahead log.
    void checkpoint();
    /// Adds what a damaged file holds. @return what is lost, in words.
    std::string salvage(const std::string& path);

  private:
    struct Size {
        std::size_t rows = 0;
        std::uint64_t bytes = 0;
    };
    struct Table {
        sqlite::Statement find, add, erase;
        Size size;
    };

    sqlite::Database open(const std::string& path, const char* journal_mode) const;
    [[nodiscard]] Table make_table(StoreKind kind) const;
    [[noreturn]] void damaged(const std::string& why) const;
    Table& table(StoreKind kind) { return tables_[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] const Table& table(StoreKind kind) const {
        return tables_[static_cast<std::size_t>(kind)];
    }
    static void count_out(Size& size, sqlite::Statement& removed);
    using Found = std::set<std::pair<StoreKind, std::uint64_t>>;
    bool copy(const std::string& path, Found& bad);
    bool copy_table(const sqlite::Database& source, StoreKind kind, Found& bad);

    std::string path_;
    sqlite::Database database_;
    std::array<Table, 2> tables_;
};

/// Bytes of a write-ahead log that SQLite uses: up to the last commit before the first damaged
/// frame.
[[nodiscard]] std::size_t used_log_bytes(std::string_view log);

/// What was written to the store and is not in its tables yet.
class PendingRows {
  public:
    /// @param row  age 0: the newest.
    void put(StoreKind kind, StoreRow row);
    void erase(StoreKind kind, std::uint64_t id);
    /// The row as it will be, without a body if it will be gone; null: as in the tables.
    [[nodiscard]] const StoreRow* find(StoreKind kind, std::uint64_t id) const;
    /// All of a kind, in the order in which they came.
    [[nodiscard]] std::vector<const StoreRow*> rows(StoreKind kind) const;

    [[nodiscard]] bool empty() const { return changes_.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Of rows that will be there.
    [[nodiscard]] std::size_t count(StoreKind kind) const {
        return here_[static_cast<std::size_t>(kind)];
    }
    void apply_to(StoreTables& tables) const;
    void clear();

  private:
    struct Change {
        std::uint64_t order = 0;
        StoreRow row;
    };
    using Changes = std::map<std::pair<StoreKind, std::uint64_t>, Change>;

    void set(StoreKind kind, StoreRow row);

    Changes changes_;
    std::array<std::size_t, 2> here_{};  ///< rows of each kind that will be there
    std::size_t bytes_ = 0;
    std::uint64_t next_order_ = 1;
};

}  // namespace edgeloop
