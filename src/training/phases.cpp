#include "phases.hpp"

#include "edgeloop/core/error.hpp"

#include <array>

namespace edgeloop {
namespace {

constexpr const char* names[] = {"opening the data",
                                 "building the network",
                                 "sharing the weights",
                                 "reading the saved state",
                                 "taking over the saved state",
                                 "starting an epoch",
                                 "training",
                                 "updating the weights",
                                 "starting the validation",
                                 "validating",
                                 "judging the epoch",
                                 "keeping the best weights",
                                 "writing files"};
static_assert(sizeof names / sizeof *names == phase_count, "each phase has a name");

}  // namespace

const char* name_of(Phase phase) { return names[static_cast<std::size_t>(phase)]; }

void PhaseGuard::run(Phase phase, const std::function<void()>& work) {
    attempt(phase, {}, work);
    agree();
}

void PhaseGuard::attempt(Phase phase, const std::string& detail,
                         const std::function<void()>& work) {
    if (failure_) return;
    failure_ = edgeloop::attempt([&] {
        token_.at(detail.empty() ? name_of(phase) : name_of(phase) + (", " + detail));
        work();
    });
    // The data were whole when the run began: what keeps them from being opened is not the design.
    if (failure_ && phase == Phase::open_data) failure_->status = Status::lost;
}

bool PhaseGuard::agree(bool asks) const {
    double signs[2] = {failure_ ? 1.0 : 0.0, asks ? 1.0 : 0.0};
    group_.all_reduce(signs, 2, Reduction::max);
    if (signs[0] > 0) leave();
    return signs[1] > 0;
}

void PhaseGuard::leave() const {
    const std::optional<EarlyEnd> first = first_failure(group_, failure_);
    if (!first) throw LogicError("ranks left a phase without a failure");
    throw *first;
}

}  // namespace edgeloop
