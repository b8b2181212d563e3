#pragma once

#include "edgeloop/core/access.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/link/job_store.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

struct BridgeStoreOptions {
    std::string folder;                 ///< created when missing; one process at a time
    std::size_t max_results = 200'000;  ///< the oldest are forgotten beyond this
    Access access = Access::owner;      ///< for whom the folder and its files are
};

/// A bridge's memory on disk, an SQLite database (write-ahead log, full sync): src/link/README.md.
///
/// What is damaged is put right from the second copy of each record, when the store is opened or
/// when the damage is met; what is lost is said in the log, and the damaged file is kept. The
/// journal of an earlier release in the folder is taken over.
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
    /// second.
    void commit() override;

  private:
    class Tables;

    void open();
    void take_over(const std::string& journal);
    std::size_t replay(std::string_view bytes);
    void repair(const std::string& why);
    void add_to_job(std::uint64_t id, const std::string& record);

    BridgeStoreOptions options_;
    std::string path_;
    Descriptor lock_;
    std::unique_ptr<Tables> tables_;
    bool in_log_ = false;  ///< something is in the write-ahead log only
    double checkpoint_s_ = 0;
};

}  // namespace edgeloop
