#pragma once

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/link/job_store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace edgeloop {

struct JournalOptions {
    std::string folder;                         ///< created when missing; one process at a time
    std::size_t max_results = 200'000;          ///< the oldest are forgotten beyond this
    std::size_t max_devices = 1024;             ///< likewise: a device may change its name
    std::uint64_t compact_bytes = 64ull << 20;  ///< a smaller journal is not worth compacting
};

/// A broker's memory on disk: an append-only journal of checksummed records.
///
/// Results stay on disk, memory holds where they are. When more than half of the journal is out of
/// date a thread copies what counts to a second one, while the first is used on; the commit() after
/// that adds what was written meanwhile and swaps them atomically. A damaged end (the process
/// was killed in mid-write, or worse) is moved to a file beside it, said in the log, and everything
/// before it is kept. Format: src/link/README.md.
class JournalStore final : public JobStore {
  public:
    /// @throws IoError; ConfigError when another process uses the folder; CorruptState for a
    /// journal of another version.
    explicit JournalStore(const JournalOptions& options);
    ~JournalStore() override;
    JournalStore(const JournalStore&) = delete;
    JournalStore& operator=(const JournalStore&) = delete;

    [[nodiscard]] std::vector<OpenJob> open_jobs() override;
    void add_job(const OpenJob& job) override;
    void set_losses(std::uint64_t id, int losses) override;
    void give_job(std::uint64_t id, const std::string& device) override;
    void drop_job(std::uint64_t id) override;
    void add_result(std::uint64_t id, const MeasurementResult& result) override;
    [[nodiscard]] bool has_result(std::uint64_t id) const override;
    [[nodiscard]] std::optional<MeasurementResult> result(std::uint64_t id) override;
    [[nodiscard]] std::size_t results() const override { return results_.size(); }
    void set_device(const std::string& name, const std::string& record) override;
    void commit() override;

    [[nodiscard]] std::uint64_t journal_bytes() const { return end_; }
    [[nodiscard]] std::size_t devices() const { return devices_.size(); }
    /// Whether a second journal is being made; a later commit() takes it.
    [[nodiscard]] bool compacting() const { return compaction_ != nullptr; }

  private:
    struct Place {
        std::uint64_t offset = 0;
        std::uint32_t bytes = 0;
        std::uint64_t order = 0;  ///< of results: larger is newer
    };
    struct Open {
        Place place;
        std::int32_t losses = 0;
        std::uint64_t order = 0;
        std::vector<std::string> given;
    };

    class Compaction;

    void lock_folder();
    void load();
    bool load_record(const std::string& bytes, std::uint64_t offset);
    void set_damage_aside(std::uint64_t from, std::uint64_t size);
    void open_files();
    Place write(std::uint16_t type, std::uint64_t id, const std::string& payload);
    [[nodiscard]] std::string read(const Place& place) const;
    void keep_job(std::uint64_t id, const Place& place, std::int32_t losses);
    void keep_result(std::uint64_t id, const Place& place);
    void keep_device(const std::string& name, const Place& place);
    void forget_job(std::uint64_t id);
    void forget(const Place& place) { live_bytes_ -= place.bytes; }
    void consider_compaction();
    void postpone_compaction(const std::string& why);
    void forget_oldest();
    void start_compaction();
    void end_compaction();
    void adopt(Compaction& done);

    JournalOptions options_;
    std::string path_;
    Descriptor lock_, reader_;
    std::unique_ptr<AppendFile> file_;
    std::uint64_t end_ = 0, live_bytes_ = 0, next_order_ = 1;
    std::uint64_t compact_after_ = 0;  ///< no attempt while the journal is shorter
    bool dirty_ = false;
    std::unique_ptr<Compaction> compaction_;
    std::unordered_map<std::uint64_t, Open> open_;
    std::unordered_map<std::uint64_t, Place> results_;
    std::map<std::string, Place> devices_;
};

}  // namespace edgeloop
