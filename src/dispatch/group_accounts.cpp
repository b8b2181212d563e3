#include "group_accounts.hpp"

#include "edgeloop/core/log.hpp"

#include <algorithm>
#include <utility>

namespace edgeloop {

GroupAccounts::GroupAccounts(std::vector<std::string> labels, const AccountLimits& limits)
    : limits_(limits) {
    for (std::string& label : labels) {
        Account& account = accounts_.emplace_back();
        account.label = std::move(label);
        account.probe_wait = limits.probe_after_s;
    }
}

bool GroupAccounts::trusted(std::size_t group) const {
    const Account& account = accounts_[group];
    return !account.out && !account.gone && account.held.size() < limits_.in_a_row;
}

bool GroupAccounts::probe_due(std::size_t group, double now) const {
    const Account& account = accounts_[group];
    return !account.gone && now >= account.probe_at;
}

void GroupAccounts::probed(std::size_t group, double now) {
    Account& account = accounts_[group];
    account.probe_at = now + account.probe_wait;
    account.probe_wait = std::min(2 * account.probe_wait, limits_.probe_at_most_s);
}

bool GroupAccounts::is_quick_failure(const Outcome& outcome) const {
    const bool bad = outcome.status == Status::failed || outcome.status == Status::lost;
    return bad && outcome.seconds <= limits_.quick_s;
}

bool GroupAccounts::counts(std::size_t group, const Outcome& outcome, double now) {
    Account& account = accounts_[group];
    if (is_quick_failure(outcome)) {
        std::vector<std::size_t>& failed_on = failed_on_[outcome.id];
        failed_on.push_back(group);
        quick_failure(account, outcome, now);
        if (failed_on.size() < limits_.groups_tried && has_others(outcome.id)) return false;
    } else if (outcome.status == Status::completed) {
        passed(account);
        const auto found = failed_on_.find(outcome.id);
        if (found != failed_on_.end())
            for (const std::size_t other : found->second)
                passed_elsewhere(accounts_[other], outcome.id);
        failed_on_.erase(outcome.id);
        return true;
    }
    forget(outcome.id);
    return true;
}

void GroupAccounts::quick_failure(Account& account, const Outcome& outcome, double now) {
    const bool before = account.held.size() < limits_.in_a_row;
    account.held.push_back(outcome.id);
    account.reason = outcome.reason;
    if (before && account.held.size() >= limits_.in_a_row)
        account.probe_at = now + account.probe_wait;
    take_out_if_guilty(account);
}

void GroupAccounts::passed(Account& account) {
    if (account.out) log::info("{} completed a candidate and gets work again", account.label);
    account.out = account.guilty = false;
    account.held.clear();
    account.probe_wait = limits_.probe_after_s;
}

void GroupAccounts::passed_elsewhere(Account& account, CandidateId id) {
    if (std::count(account.held.begin(), account.held.end(), id) == 0) return;
    account.guilty = true;
    take_out_if_guilty(account);
}

void GroupAccounts::take_out_if_guilty(Account& account) {
    if (account.out || !account.guilty || account.held.size() < limits_.in_a_row) return;
    account.out = true;
    log::error(
        "{} fails what others complete ({}): taken out, and tried with a candidate now and then",
        account.label, account.reason);
}

void GroupAccounts::forget(CandidateId id) {
    const auto found = failed_on_.find(id);
    if (found == failed_on_.end()) return;
    for (const std::size_t group : found->second) {
        std::vector<CandidateId>& held = accounts_[group].held;
        held.erase(std::remove(held.begin(), held.end(), id), held.end());
    }
    failed_on_.erase(found);
}

void GroupAccounts::gone(std::size_t group) { accounts_[group].gone = true; }

int GroupAccounts::suspicion(const Account& account) {
    if (account.out) return 2;
    return account.held.empty() ? 0 : 1;
}

bool GroupAccounts::tried(CandidateId id, std::size_t group) const {
    const auto found = failed_on_.find(id);
    return found != failed_on_.end() &&
           std::count(found->second.begin(), found->second.end(), group) > 0;
}

bool GroupAccounts::has_others(CandidateId id) const {
    for (std::size_t group = 0; group < accounts_.size(); ++group)
        if (!accounts_[group].gone && !tried(id, group)) return true;
    return false;
}

bool GroupAccounts::may_retry(CandidateId id, std::size_t group) const {
    const auto open = [&](std::size_t each) { return !accounts_[each].gone && !tried(id, each); };
    if (!open(group)) return false;
    for (std::size_t other = 0; other < accounts_.size(); ++other)
        if (open(other) && suspicion(accounts_[other]) < suspicion(accounts_[group])) return false;
    return true;
}

}  // namespace edgeloop
