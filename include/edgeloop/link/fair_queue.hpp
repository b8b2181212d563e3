#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace edgeloop {

/// Jobs waiting for a device. Groups (keys) take turns, the searches of a group take turns among
/// themselves, and within one search the highest priority goes first and then the oldest.
///
/// A job wanted by several searches waits in the line of each and leaves all when picked. Jobs that
/// no search waits for any more (those of `nobody`) are served only when nothing else is there.
class FairQueue {
  public:
    using Id = std::uint64_t;

    /// A search, as numbers of the caller's.
    struct Waiter {
        std::uint64_t group = 0, search = 0;

        friend bool operator<(const Waiter& a, const Waiter& b) {
            return std::tie(a.group, a.search) < std::tie(b.group, b.search);
        }
        friend bool operator==(const Waiter& a, const Waiter& b) {
            return a.group == b.group && a.search == b.search;
        }
    };
    static constexpr Waiter nobody{0, 0};

    /// Adds or re-prioritises. The order among equals is that of first being added.
    void add(Id id, const std::string& device_class, const Waiter& waiter, std::int32_t priority);
    /// This search no longer waits for it; a job without searches stays, as nobody's.
    void leave(Id id, const Waiter& waiter);
    /// Takes the job out altogether.
    void remove(Id id);

    /// Takes the next job a device of `device_class` may run: of that class or of none.
    /// @param may  asked of jobs in their order, says which the device may have; empty: all. Of
    /// each line only the first few are asked for. Complexity: O(searches that wait for the class
    /// or for any + log jobs).
    std::optional<Id> pick(const std::string& device_class,
                           const std::function<bool(Id)>& may = {});

    [[nodiscard]] bool contains(Id id) const { return entries_.count(id) != 0; }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

    /// What waits for one class of devices.
    struct Waiting {
        std::string device_class;
        std::size_t jobs = 0;
        std::vector<Id> some;         ///< of these jobs
        std::vector<Waiter> waiters;  ///< some of those that wait, without nobody
    };
    /// The classes that most jobs wait for, by name. @param named  jobs and searches of each.
    [[nodiscard]] std::vector<Waiting> longest(std::size_t classes, std::size_t named) const;

  private:
    /// Negative priority, order, job: the least goes first.
    using Position = std::tuple<std::int64_t, std::uint64_t, Id>;
    /// Whether it is nobody's, last turn of the group, last turn of the search: the least goes
    /// first.
    using Rank = std::tuple<bool, std::uint64_t, std::uint64_t>;
    using Turns = std::unordered_map<std::uint64_t, std::uint64_t>;
    struct Entry {
        std::string device_class;
        std::uint64_t order = 0;
        std::map<Waiter, std::int32_t> waiters;  ///< and their priority
    };
    struct Class {
        std::size_t jobs = 0;
        std::map<Waiter, std::set<Position>> lines;
    };
    struct Choice {
        Rank rank;
        Position place;
        Waiter waiter;
    };

    [[nodiscard]] static Position position(Id id, const Entry& entry, std::int32_t priority);
    void stand(Id id, const Entry& entry, const Waiter& waiter, std::int32_t priority);
    void step_out(Id id, const Entry& entry, const Waiter& waiter, std::int32_t priority);
    [[nodiscard]] Rank rank_of(const Waiter& waiter) const;
    void consider(const std::string& device_class, const std::function<bool(Id)>& may,
                  std::optional<Choice>& best) const;
    void remember_turn(const Waiter& waiter);

    std::unordered_map<Id, Entry> entries_;
    std::map<std::string, Class> classes_;  ///< those with jobs
    Turns group_turns_, search_turns_;      ///< number of the last turn of each
    std::uint64_t next_order_ = 1;
    std::uint64_t next_turn_ = 1;
};

}  // namespace edgeloop
