#include "edgeloop/link/fair_queue.hpp"

#include <algorithm>
#include <limits>

namespace edgeloop {
namespace {

constexpr std::size_t max_remembered_clients = 4096;

}  // namespace

FairQueue::Position FairQueue::position(Id id, const Entry& entry, std::int32_t priority) const {
    return {-static_cast<std::int64_t>(priority), entry.order, id};
}

void FairQueue::stand(Id id, const Entry& entry, const std::string& client, std::int32_t priority) {
    lines_[{entry.device_class, client}].insert(position(id, entry, priority));
}

void FairQueue::step_out(Id id, const Entry& entry, const std::string& client,
                         std::int32_t priority) {
    const auto line = lines_.find({entry.device_class, client});
    if (line == lines_.end()) return;
    line->second.erase(position(id, entry, priority));
    if (line->second.empty()) lines_.erase(line);
}

void FairQueue::add(Id id, const std::string& device_class, const std::string& client,
                    std::int32_t priority) {
    Entry& entry = entries_[id];
    if (entry.order == 0) {
        entry.order = next_order_++;
        entry.device_class = device_class;
    }
    const auto [mine, is_new] = entry.clients.emplace(client, priority);
    if (!is_new) step_out(id, entry, client, mine->second);
    mine->second = priority;
    stand(id, entry, client, priority);
    if (!client.empty()) {
        const auto nobody = entry.clients.find("");
        if (nobody != entry.clients.end()) {
            step_out(id, entry, "", nobody->second);
            entry.clients.erase(nobody);
        }
    }
}

void FairQueue::leave(Id id, const std::string& client) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    const auto mine = entry.clients.find(client);
    if (mine == entry.clients.end()) return;
    const std::int32_t priority = mine->second;
    step_out(id, entry, client, priority);
    entry.clients.erase(mine);
    if (entry.clients.empty()) {
        entry.clients.emplace("", priority);
        stand(id, entry, "", priority);
    }
}

void FairQueue::remove(Id id) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    for (const auto& [client, priority] : found->second.clients)
        step_out(id, found->second, client, priority);
    entries_.erase(found);
}

std::optional<FairQueue::Id> FairQueue::pick(const std::string& device_class,
                                             const std::function<bool(Id)>& may) {
    const Position* best = nullptr;
    std::string best_client;
    std::uint64_t best_turn = 0;
    for (const auto& [key, line] : lines_) {
        const auto& [wanted_class, client] = key;
        if (!wanted_class.empty() && wanted_class != device_class) continue;
        const auto turn = last_turn_.find(client);
        std::uint64_t rank = turn == last_turn_.end() ? 0 : turn->second;
        if (client.empty()) rank = std::numeric_limits<std::uint64_t>::max();
        if (best != nullptr && rank > best_turn) continue;
        const auto first = std::find_if(line.begin(), line.end(), [&may](const Position& place) {
            return !may || may(std::get<2>(place));
        });
        if (first == line.end()) continue;
        if (best != nullptr && rank == best_turn && !(*first < *best)) continue;
        best = &*first;
        best_client = client;
        best_turn = rank;
    }
    if (best == nullptr) return std::nullopt;
    const Id id = std::get<2>(*best);
    if (last_turn_.size() > max_remembered_clients) last_turn_.clear();
    if (!best_client.empty()) last_turn_[best_client] = next_turn_++;
    remove(id);
    return id;
}

}  // namespace edgeloop
