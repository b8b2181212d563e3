// What was written to a bridge's store and is not in its tables yet.
#include "link/store_tables.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

constexpr std::size_t overhead_bytes = 128;  ///< of a row in memory

}  // namespace

void PendingRows::set(StoreKind kind, StoreRow row) {
    const auto [found, is_new] = changes_.try_emplace({kind, row.id});
    Change& change = found->second;
    std::size_t& here = here_[static_cast<std::size_t>(kind)];
    if (!is_new) {
        bytes_ -= change.row.body.size() + overhead_bytes;
        here -= change.row.body.empty() ? 0 : 1;
    }
    // A row that is new keeps its place; one that was gone in between gets a new one.
    if (is_new || change.row.body.empty() || row.body.empty()) change.order = next_order_++;
    change.row = std::move(row);
    bytes_ += change.row.body.size() + overhead_bytes;
    here += change.row.body.empty() ? 0 : 1;
}

void PendingRows::put(StoreKind kind, StoreRow row) { set(kind, std::move(row)); }

void PendingRows::erase(StoreKind kind, std::uint64_t id) { set(kind, {0, id, {}}); }

const StoreRow* PendingRows::find(StoreKind kind, std::uint64_t id) const {
    const auto found = changes_.find({kind, id});
    return found == changes_.end() ? nullptr : &found->second.row;
}

std::vector<const StoreRow*> PendingRows::rows(StoreKind kind) const {
    std::vector<const Change*> changes;
    for (auto each = changes_.lower_bound({kind, 0});
         each != changes_.end() && each->first.first == kind; ++each)
        changes.push_back(&each->second);
    std::sort(changes.begin(), changes.end(),
              [](const Change* a, const Change* b) { return a->order < b->order; });
    std::vector<const StoreRow*> rows;
    rows.reserve(changes.size());
    for (const Change* change : changes) rows.push_back(&change->row);
    return rows;
}

void PendingRows::apply_to(StoreTables& tables) const {
    for (const StoreKind kind : {StoreKind::job, StoreKind::result})
        for (const StoreRow* row : rows(kind)) {
            if (row->body.empty())
                tables.erase(kind, row->id);
            else
                tables.put(kind, *row);
        }
}

void PendingRows::clear() {
    changes_.clear();
    bytes_ = 0;
    here_ = {};
}

}  // namespace edgeloop
