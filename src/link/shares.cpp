#include "edgeloop/link/shares.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>

namespace edgeloop {
namespace {

/// There are as many keys as an operator lists, but as many names without keys as peers like.
constexpr std::size_t max_accounts = 4096;

}  // namespace

std::uint64_t Share::part_of(const std::string& who) const {
    const auto found = parts_.find(who);
    return found == parts_.end() ? 0 : found->second;
}

bool Share::may_take(const std::string& who, std::uint64_t amount) const {
    const std::uint64_t left = limit_ - std::min(limit_, used_);
    return amount <= left && part_of(who) < left;
}

void Share::take(const std::string& who, std::uint64_t amount) {
    if (amount == 0) return;
    parts_[who] += amount;
    used_ += amount;
}

void Share::give_back(const std::string& who, std::uint64_t amount) {
    if (amount == 0) return;
    const auto found = parts_.find(who);
    EDGELOOP_EXPECT(found != parts_.end() && found->second >= amount,
                    "a peer gives back more than it has");
    found->second -= amount;
    used_ -= amount;
    if (found->second == 0) parts_.erase(found);
}

Budgets::Account& Budgets::account_of(const std::string& who, double now) {
    if (accounts_.size() >= max_accounts && accounts_.count(who) == 0) forget_idle(now);
    Account& account = accounts_.try_emplace(who, Account{rate_.at_once, now}).first->second;
    account.left = std::min(rate_.at_once, account.left + (now - account.time) * rate_.per_s);
    account.time = now;
    return account;
}

bool Budgets::spend(const std::string& who, double amount, double now) {
    Account& account = account_of(who, now);
    if (account.left < amount) return false;
    account.left -= amount;
    return true;
}

void Budgets::owe(const std::string& who, double amount, double now) {
    account_of(who, now).left -= amount;
}

/// Those that have all of it again; if there are none, everybody starts anew.
void Budgets::forget_idle(double now) {
    for (auto account = accounts_.begin(); account != accounts_.end();) {
        const double left = account->second.left + (now - account->second.time) * rate_.per_s;
        account = left >= rate_.at_once ? accounts_.erase(account) : std::next(account);
    }
    if (accounts_.size() >= max_accounts) accounts_.clear();
}

}  // namespace edgeloop
