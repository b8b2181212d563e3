#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace edgeloop {

/// Jobs waiting for a device: clients take turns, within one client the highest priority goes
/// first and then the oldest.
///
/// A job wanted by several clients waits in the line of each and leaves all when picked. Jobs that
/// no client waits for any more (client "") are served only when nothing else is there.
class FairQueue {
  public:
    using Id = std::uint64_t;

    /// Adds or re-prioritises. The order among equals is that of first being added.
    void add(Id id, const std::string& device_class, const std::string& client,
             std::int32_t priority);
    /// This client no longer waits for it; a job without clients stays, as nobody's.
    void leave(Id id, const std::string& client);
    /// Takes the job out altogether.
    void remove(Id id);

    /// Takes the next job a device of `device_class` may run: of that class or of none.
    /// @param may  asked of jobs in their order, says which the device may have; empty: all.
    /// Complexity: O(clients + log jobs) and one question for each job that it may not have.
    std::optional<Id> pick(const std::string& device_class,
                           const std::function<bool(Id)>& may = {});

    [[nodiscard]] bool contains(Id id) const { return entries_.count(id) != 0; }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

  private:
    /// Negative priority, order, job: the least goes first.
    using Position = std::tuple<std::int64_t, std::uint64_t, Id>;
    struct Entry {
        std::string device_class;
        std::uint64_t order = 0;
        std::map<std::string, std::int32_t> clients;  ///< client -> priority
    };
    using LineKey = std::pair<std::string, std::string>;  ///< device class, client

    [[nodiscard]] Position position(Id id, const Entry& entry, std::int32_t priority) const;
    void stand(Id id, const Entry& entry, const std::string& client, std::int32_t priority);
    void step_out(Id id, const Entry& entry, const std::string& client, std::int32_t priority);

    std::unordered_map<Id, Entry> entries_;
    std::map<LineKey, std::set<Position>> lines_;
    std::map<std::string, std::uint64_t> last_turn_;  ///< client -> number of its last turn
    std::uint64_t next_order_ = 1;
    std::uint64_t next_turn_ = 1;
};

}  // namespace edgeloop
