#pragma once

#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/evaluation/cancel_token.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace edgeloop {

/// Everything a rank does for a candidate is in one of these, in the order in which they are first
/// reached. Whoever adds one gives it a name in phases.cpp; a test makes each of them throw.
enum class Phase {
    open_data,
    build,
    share_weights,
    read_state,
    take_state,
    start_epoch,
    train_step,
    update_weights,
    start_validation,
    validation_step,
    settle_ranks,
    judge_epoch,
    keep_best,
    save_epoch,
    write_files,
    count  ///< not a phase: their number
};
constexpr std::size_t phase_count = static_cast<std::size_t>(Phase::count);

/// For messages and watchdogs, e.g. "building the network".
[[nodiscard]] const char* name_of(Phase phase);

/// Why a training ends before its last step, in terms of a candidate's life. Thrown on all ranks of
/// a group alike; what went wrong on this rank alone is a value.
struct EarlyEnd {
    /// cancelled; failed; or lost when files, the network, the accelerator or the operating system
    /// are to blame, which another group may well have in order.
    Status status = Status::failed;
    std::string reason;  ///< one line
};

/// Runs `work`; what it throws becomes a failure. Exhausted memory gives "out of memory: …".
[[nodiscard]] std::optional<EarlyEnd> attempt(const std::function<void()>& work);

/// The one way through every phase of a training, so that whatever goes wrong on a rank, all ranks
/// learn of it and leave together, in the same class.
///
/// A rank on which something failed does no more work but still takes part in what all do together.
class PhaseGuard {
  public:
    PhaseGuard(const Communicator& group, const CancelToken& token)
        : group_(group), token_(token) {}

    /// attempt() and agree(). Collective.
    /// @param work  makes no call in which ranks wait for each other.
    void run(Phase phase, const std::function<void()>& work);

    /// Tells the token where this rank is, then works; keeps what is thrown until the ranks agree.
    /// @param detail  of the place, e.g. "epoch 1 step 17".
    void attempt(Phase phase, const std::string& detail, const std::function<void()>& work);
    [[nodiscard]] const std::optional<EarlyEnd>& failure() const { return failure_; }

    /// Whether any rank asks for an end. Collective. @throws EarlyEnd  on all ranks, when any
    /// failed.
    bool agree(bool asks = false) const;
    /// For ranks that know already that one of them failed. Collective. @throws EarlyEnd  the
    /// failure of the first rank that has one, naming it.
    [[noreturn]] void leave() const;

  private:
    const Communicator& group_;
    const CancelToken& token_;
    std::optional<EarlyEnd> failure_;
};

}  // namespace edgeloop
