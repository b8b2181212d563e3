#pragma once

#include "edgeloop/link/measurement.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace edgeloop {

class FileStore;  // file_store.hpp

/// A job a store remembers as not yet answered.
struct OpenJob {
    std::uint64_t id = 0;
    MeasurementJob job;
    std::int32_t priority = 0;
    int losses = 0;                  ///< agents that ended while measuring it
    std::vector<std::string> given;  ///< devices it was sent to, as the board names them
    std::string owner = {};          ///< whose share it is part of; empty: nobody knows
    double age_s = 0;                ///< since it was first asked for

    /// It is sent to one more device; of many the earliest is forgotten.
    void give_to(const std::string& device) {
        constexpr std::size_t remembered = 8;
        if (given.size() >= remembered) given.erase(given.begin());
        given.push_back(device);
    }
};

/// Memory of a broker: jobs and their results. What was written before commit() returned true is
/// there after a restart, if the store is durable at all.
///
/// Writing cannot fail: what cannot be made durable now is kept until it can. Reading may throw
/// IoError.
class JobStore {
  public:
    virtual ~JobStore() = default;
    /// Jobs without a result, in the order they were added. Called once, at start.
    [[nodiscard]] virtual std::vector<OpenJob> open_jobs() = 0;
    virtual void add_job(const OpenJob& job) = 0;
    virtual void set_losses(std::uint64_t id, int losses) = 0;
    /// The job is sent to this device.
    virtual void give_job(std::uint64_t id, const std::string& device) = 0;
    virtual void drop_job(std::uint64_t id) = 0;
    /// Ends the job.
    virtual void add_result(std::uint64_t id, const MeasurementResult& result) = 0;
    [[nodiscard]] virtual std::optional<MeasurementResult> result(std::uint64_t id) = 0;
    [[nodiscard]] virtual std::size_t results() const = 0;
    /// Makes everything written so far durable. @return false when that is not possible now:
    /// trouble() says why, and the next calls try again.
    virtual bool commit() = 0;
    /// Why nothing should be added now, e.g. the disk is full; empty: all is well.
    [[nodiscard]] virtual std::string trouble() const { return {}; }
    /// Whether more results can be kept until they can be made durable.
    [[nodiscard]] virtual bool has_room() const { return true; }
    /// Where models that jobs are about are kept; null: nowhere, such jobs are refused.
    [[nodiscard]] virtual FileStore* files() { return nullptr; }
};

/// Forgets at the end of the process: for the broker inside a search, whose own journal keeps the
/// results.
class MemoryJobStore final : public JobStore {
  public:
    [[nodiscard]] std::vector<OpenJob> open_jobs() override { return {}; }
    void add_job(const OpenJob&) override {}
    void set_losses(std::uint64_t, int) override {}
    void give_job(std::uint64_t, const std::string&) override {}
    void drop_job(std::uint64_t) override {}
    void add_result(std::uint64_t id, const MeasurementResult& result) override {
        results_[id] = result;
    }
    [[nodiscard]] std::optional<MeasurementResult> result(std::uint64_t id) override {
        const auto found = results_.find(id);
        if (found == results_.end()) return std::nullopt;
        return found->second;
    }
    [[nodiscard]] std::size_t results() const override { return results_.size(); }
    bool commit() override { return true; }

  private:
    std::unordered_map<std::uint64_t, MeasurementResult> results_;
};

}  // namespace edgeloop
