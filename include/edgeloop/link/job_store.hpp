#pragma once

#include "edgeloop/link/measurement.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace edgeloop {

/// A job a store remembers as not yet answered.
struct OpenJob {
    std::uint64_t id = 0;
    MeasurementJob job;
    std::int32_t priority = 0;
    int losses = 0;                  ///< agents that ended while measuring it
    std::vector<std::string> given;  ///< devices it was sent to: they may answer it
};

/// Memory of a broker: jobs and their results. What was written before commit()
/// returned is there after a restart, if the store is durable at all.
///
/// All writes may throw IoError.
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
    /// Makes everything written so far durable.
    virtual void commit() = 0;
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
    void commit() override {}

  private:
    std::unordered_map<std::uint64_t, MeasurementResult> results_;
};

}  // namespace edgeloop
