#include "edgeloop/link/fair_queue.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

constexpr std::size_t max_remembered_turns = 4096;
/// Jobs of a line that a device is asked about, so that one that may have none does not go through
/// all of them time and again.
constexpr std::ptrdiff_t max_asked = 64;

std::uint64_t turn_in(const std::unordered_map<std::uint64_t, std::uint64_t>& turns,
                      std::uint64_t number) {
    const auto found = turns.find(number);
    return found == turns.end() ? 0 : found->second;
}

}  // namespace

FairQueue::Position FairQueue::position(Id id, const Entry& entry, std::int32_t priority) {
    return {-static_cast<std::int64_t>(priority), entry.order, id};
}

void FairQueue::stand(Id id, const Entry& entry, const Waiter& waiter, std::int32_t priority) {
    classes_[entry.device_class].lines[waiter].insert(position(id, entry, priority));
}

void FairQueue::step_out(Id id, const Entry& entry, const Waiter& waiter, std::int32_t priority) {
    auto& lines = classes_.at(entry.device_class).lines;
    const auto line = lines.find(waiter);
    if (line == lines.end()) return;
    line->second.erase(position(id, entry, priority));
    if (line->second.empty()) lines.erase(line);
}

void FairQueue::add(Id id, const std::string& device_class, const Waiter& waiter,
                    std::int32_t priority) {
    Entry& entry = entries_[id];
    if (entry.order == 0) {
        entry.order = next_order_++;
        entry.device_class = device_class;
        ++classes_[device_class].jobs;
    }
    const auto [mine, is_new] = entry.waiters.emplace(waiter, priority);
    if (!is_new) step_out(id, entry, waiter, mine->second);
    mine->second = priority;
    stand(id, entry, waiter, priority);
    if (waiter == nobody) return;
    const auto unwanted = entry.waiters.find(nobody);
    if (unwanted == entry.waiters.end()) return;
    step_out(id, entry, nobody, unwanted->second);
    entry.waiters.erase(unwanted);
}

void FairQueue::leave(Id id, const Waiter& waiter) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    const auto mine = entry.waiters.find(waiter);
    if (mine == entry.waiters.end()) return;
    const std::int32_t priority = mine->second;
    step_out(id, entry, waiter, priority);
    entry.waiters.erase(mine);
    if (!entry.waiters.empty()) return;
    entry.waiters.emplace(nobody, priority);
    stand(id, entry, nobody, priority);
}

void FairQueue::remove(Id id) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    const Entry& entry = found->second;
    for (const auto& [waiter, priority] : entry.waiters) step_out(id, entry, waiter, priority);
    const auto its_class = classes_.find(entry.device_class);
    if (--its_class->second.jobs == 0) classes_.erase(its_class);
    entries_.erase(found);
}

FairQueue::Rank FairQueue::rank_of(const Waiter& waiter) const {
    return {waiter == nobody, turn_in(group_turns_, waiter.group),
            turn_in(search_turns_, waiter.search)};
}

void FairQueue::consider(const std::string& device_class, const std::function<bool(Id)>& may,
                         std::optional<Choice>& best) const {
    const auto its_class = classes_.find(device_class);
    if (its_class == classes_.end()) return;
    for (const auto& [waiter, line] : its_class->second.lines) {
        const Rank rank = rank_of(waiter);
        if (best && best->rank < rank) continue;
        const auto end =
            std::next(line.begin(), std::min(max_asked, static_cast<std::ptrdiff_t>(line.size())));
        const auto first = std::find_if(line.begin(), end, [&may](const Position& place) {
            return !may || may(std::get<2>(place));
        });
        if (first == end) continue;
        if (!best || std::tie(rank, *first) < std::tie(best->rank, best->place))
            best = Choice{rank, *first, waiter};
    }
}

void FairQueue::remember_turn(const Waiter& waiter) {
    // Who has not had a turn for so long is as good as new: first.
    const auto forget_old = [this](Turns& turns) {
        if (turns.size() <= max_remembered_turns) return;
        const std::uint64_t oldest = next_turn_ - max_remembered_turns / 2;
        for (auto turn = turns.begin(); turn != turns.end();)
            turn = turn->second < oldest ? turns.erase(turn) : std::next(turn);
    };
    if (waiter == nobody) return;
    group_turns_[waiter.group] = search_turns_[waiter.search] = next_turn_++;
    forget_old(group_turns_);
    forget_old(search_turns_);
}

std::optional<FairQueue::Id> FairQueue::pick(const std::string& device_class,
                                             const std::function<bool(Id)>& may) {
    std::optional<Choice> best;
    consider("", may, best);
    if (!device_class.empty()) consider(device_class, may, best);
    if (!best) return std::nullopt;
    remember_turn(best->waiter);
    const Id id = std::get<2>(best->place);
    remove(id);
    return id;
}

std::vector<FairQueue::Waiting> FairQueue::longest(std::size_t classes, std::size_t named) const {
    using Named = std::map<std::string, Class>::const_iterator;
    std::vector<Named> chosen;
    chosen.reserve(classes_.size());
    for (auto each = classes_.begin(); each != classes_.end(); ++each) chosen.push_back(each);
    if (chosen.size() > classes) {
        std::nth_element(
            chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(classes), chosen.end(),
            [](const Named& a, const Named& b) { return a->second.jobs > b->second.jobs; });
        chosen.resize(classes);
        std::sort(chosen.begin(), chosen.end(),
                  [](const Named& a, const Named& b) { return a->first < b->first; });
    }
    std::vector<Waiting> waiting;
    for (const Named& each : chosen) {
        Waiting& line = waiting.emplace_back();
        line.device_class = each->first;
        line.jobs = each->second.jobs;
        std::set<Id> some;
        for (const auto& [waiter, places] : each->second.lines) {
            if (!(waiter == nobody) && line.waiters.size() < named) line.waiters.push_back(waiter);
            for (auto place = places.begin(); place != places.end() && some.size() < named; ++place)
                some.insert(std::get<2>(*place));
        }
        line.some.assign(some.begin(), some.end());
    }
    return waiting;
}

}  // namespace edgeloop
