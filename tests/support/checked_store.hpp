#pragma once

#include "edgeloop/core/error.hpp"
#include "edgeloop/link/job_store.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop::test {

inline void require(bool holds, const char* rule) {
    if (!holds) throw LogicError(std::string("the board broke a rule: ") + rule);
}

/// A store in memory that keeps what a restart finds, is in trouble when it is told to, and throws
/// when a board writes what no board should.
class CheckedStore final : public JobStore {
  public:
    [[nodiscard]] std::vector<OpenJob> open_jobs() override {
        std::vector<OpenJob> jobs;
        for (const auto& [id, job] : open) jobs.push_back(job);
        return jobs;
    }
    void add_job(const OpenJob& job) override {
        require(why.empty(), "nothing new is taken while the store is in trouble");
        require(open.emplace(job.id, job).second, "a job is stored once");
    }
    void set_losses(std::uint64_t id, int losses) override {
        require(open.count(id) != 0 && losses >= 0, "only open jobs are lost, and not less than 0");
        open.at(id).losses = losses;
    }
    void give_job(std::uint64_t id, const std::string& device) override {
        require(open.count(id) != 0, "only open jobs are given to devices");
        open.at(id).give_to(device);
    }
    void drop_job(std::uint64_t id) override { open.erase(id); }
    void add_result(std::uint64_t id, const MeasurementResult& result) override {
        require(open.erase(id) == 1 && is_lasting(result), "a lasting answer ends an open job");
        answers.add_result(id, result);
    }
    [[nodiscard]] std::optional<MeasurementResult> result(std::uint64_t id) override {
        return answers.result(id);
    }
    [[nodiscard]] std::size_t results() const override { return answers.results(); }
    bool commit() override { return why.empty(); }
    [[nodiscard]] std::string trouble() const override { return why; }
    [[nodiscard]] bool has_room() const override { return room; }

    std::map<std::uint64_t, OpenJob> open;
    MemoryJobStore answers;
    std::string why;
    bool room = true;
};

}  // namespace edgeloop::test
