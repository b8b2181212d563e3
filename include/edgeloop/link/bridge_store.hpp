#pragma once

#include "edgeloop/core/access.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/link/file_store.hpp"
#include "edgeloop/link/job_store.hpp"
#include "edgeloop/link/limits.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

class PendingRows;  // src/link/store_tables.hpp
class StoreTables;
struct StoreRow;
enum class StoreKind : std::size_t;

struct BridgeStoreOptions {
    std::string folder;                         ///< created when missing; one process at a time
    std::size_t max_results = limits::results;  ///< the oldest are forgotten beyond this
    std::uint64_t max_result_bytes =
        limits::result_bytes;       ///< likewise; on disk they are there twice
    Access access = Access::owner;  ///< for whom the folder and its files are
};

/// A bridge's memory on disk, an SQLite database (write-ahead log, full sync): src/link/README.md.
///
/// What is damaged is put right from the second copy of each record, when the store is opened or
/// when the damage is met; what is lost is said in the log, and the damaged file is kept. The
/// journal of an earlier release in the folder is taken over. While the disk is full it opens and
/// answers, and keeps in memory what it could not write.
class BridgeStore final : public JobStore {
  public:
    /// @throws IoError; ConfigError when another process uses the folder, it is another user's or
    /// its database is a link; CorruptState for a store or journal of another version.
    explicit BridgeStore(const BridgeStoreOptions& options);
    ~BridgeStore() override;
    BridgeStore(const BridgeStore&) = delete;
    BridgeStore& operator=(const BridgeStore&) = delete;

    [[nodiscard]] std::vector<OpenJob> open_jobs() override;
    void add_job(const OpenJob& job) override;
    void set_losses(std::uint64_t id, int losses) override;
    void give_job(std::uint64_t id, const std::string& device) override;
    void drop_job(std::uint64_t id) override;
    void add_result(std::uint64_t id, const MeasurementResult& result) override;
    [[nodiscard]] std::optional<MeasurementResult> result(std::uint64_t id) override;
    [[nodiscard]] std::size_t results() const override;
    /// Call it also when there is nothing to write: it then empties the write-ahead log, once a
    /// second. What fails is tried again once a second.
    bool commit() override;
    [[nodiscard]] std::string trouble() const override { return trouble_; }
    [[nodiscard]] bool has_room() const override;
    [[nodiscard]] FileStore* files() override { return files_.get(); }

  private:
    void open();
    void take_over(const std::string& journal);
    std::size_t replay(std::string_view bytes);
    void repair(const std::string& why);
    void replace_file();
    void copy_to(const std::string& path);
    StoreTables& tables();
    void write();
    void in_trouble(const std::string& why, double pause_s);
    std::optional<StoreRow> find(StoreKind kind, std::uint64_t id);
    void change_job(std::uint64_t id, const std::function<void(OpenJob&)>& change);

    BridgeStoreOptions options_;
    std::string path_;
    Descriptor lock_;
    std::unique_ptr<FileStore> files_;
    std::unique_ptr<StoreTables> tables_;  ///< null: could not be opened again after a damage
    std::unique_ptr<PendingRows> pending_;
    bool in_log_ = true;  ///< something may be in the write-ahead log only
    double checkpoint_s_ = 0, try_again_s_ = 0, repair_again_s_ = 0;  ///< when
    std::string trouble_;
};

}  // namespace edgeloop
