#pragma once

#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace edgeloop {

/// Tells groups that fail every candidate from candidates that fail on every group.
///
/// A candidate that ends failed or lost at once is tried on other groups before its end counts.
/// When it passes there, the failure was the group's; when it fails on all that were tried, it was
/// the candidate's. A group with several failures in a row that nobody has explained yet gets no
/// new work but a probe now and then; once one of them is known to be its own it is taken out, and
/// comes back when it completes a candidate.
class GroupAccounts {
  public:
    /// @param labels  of the groups, for messages, e.g. "rank 3".
    GroupAccounts(std::vector<std::string> labels, const AccountLimits& limits);

    /// Whether the group may be given new candidates; if not, it may be given probes.
    [[nodiscard]] bool trusted(std::size_t group) const;
    [[nodiscard]] bool probe_due(std::size_t group, double now) const;
    /// A group that is not trusted got a candidate.
    void probed(std::size_t group, double now);

    /// Takes note of an outcome. Whether it counts: otherwise the candidate is to be tried again
    /// on a group that may_retry().
    [[nodiscard]] bool counts(std::size_t group, const Outcome& outcome, double now);
    /// Whether this is one of the groups, of those not tried yet, from which most can be learnt
    /// about the candidate: the ones with nothing against them when there are any.
    [[nodiscard]] bool may_retry(CandidateId id, std::size_t group) const;
    /// Whether there is a group left to retry it on, busy or not.
    [[nodiscard]] bool has_others(CandidateId id) const;
    /// The candidate is no longer of interest.
    void forget(CandidateId id);
    /// The group no longer answers.
    void gone(std::size_t group);

    [[nodiscard]] bool is_quick_failure(const Outcome& outcome) const;

  private:
    struct Account {
        std::string label;
        std::vector<CandidateId> held;  ///< that failed here at once, since the last that passed
        bool guilty = false;            ///< one of them passed elsewhere
        bool out = false;
        bool gone = false;
        std::string reason;  ///< of the last failure
        double probe_at = 0, probe_wait = 0;
    };

    void quick_failure(Account& account, const Outcome& outcome, double now);
    void passed(Account& account);
    void passed_elsewhere(Account& account, CandidateId id);
    void take_out_if_guilty(Account& account);
    /// 0: nothing against it; 1: something; 2: out.
    [[nodiscard]] static int suspicion(const Account& account);
    [[nodiscard]] bool tried(CandidateId id, std::size_t group) const;

    AccountLimits limits_;
    std::vector<Account> accounts_;
    std::map<CandidateId, std::vector<std::size_t>> failed_on_;
};

}  // namespace edgeloop
