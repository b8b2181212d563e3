#include "edgeloop/dispatch/worker.hpp"

#include "guarded_run.hpp"
#include "messages.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/log.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {
namespace {

constexpr int coordinator = 0;
constexpr double results_interval_s = 2e-3;
constexpr double place_interval_s = 2.0;
constexpr double flush_limit_s = 10;

/// What the coordinator has told this rank so far.
class Inbox {
  public:
    explicit Inbox(const Communicator& world) : world_(world) {}

    /// Takes in every message that is here.
    void drain() {
        while (const auto message = world_.try_receive()) take(*message);
    }
    /// Waits until there is a candidate or it is time to go home.
    void wait_for_work() {
        drain();
        while (queue_.empty() && !shutdown_) {
            take(world_.receive());
            drain();
        }
    }
    [[nodiscard]] bool shutdown() const { return shutdown_; }
    [[nodiscard]] bool empty() const { return queue_.empty(); }
    [[nodiscard]] bool is_cancelled(CandidateId id) const {
        return shutdown_ || cancelled_.count(id) > 0;
    }
    Candidate next() {
        Candidate candidate = std::move(queue_.front());
        queue_.pop_front();
        return candidate;
    }

  private:
    void take(const ReceivedMessage& message) {
        switch (MessageTag(message.tag)) {
            case MessageTag::assign:
                for (Candidate& candidate : decode_candidates(message.bytes)) {
                    cancelled_.erase(candidate.id);  // meant an earlier rung of it
                    queue_.push_back(std::move(candidate));
                }
                break;
            case MessageTag::cancel:
                cancelled_.insert(decode_id(message.bytes));
                break;
            case MessageTag::shutdown:
                shutdown_ = true;
                break;
            default:
                log::warning("ignored a message with tag {} from rank {}", message.tag,
                             message.source);
        }
    }

    const Communicator& world_;
    std::deque<Candidate> queue_;
    std::set<CandidateId> cancelled_;
    bool shutdown_ = false;
};

/// Tells the coordinator now and then where this rank is.
class PlaceReporter {
  public:
    explicit PlaceReporter(const Communicator& world) : world_(world) {}

    void at(const std::string& place) {
        const double now = steady_seconds();
        if (now - sent_ < place_interval_s) return;
        sent_ = now;
        world_.send(coordinator, int(MessageTag::place), place);
    }

  private:
    const Communicator& world_;
    double sent_ = steady_seconds();
};

/// The token of a leader, which listens to the coordinator, or of a member, which does not.
class WorkerToken : public CancelToken {
  public:
    WorkerToken(Inbox* inbox, PlaceReporter& places, CandidateId id)
        : inbox_(inbox), places_(places), id_(id) {}

    [[nodiscard]] bool requested() const override {
        if (inbox_ == nullptr) return false;
        inbox_->drain();
        return inbox_->is_cancelled(id_);
    }
    [[nodiscard]] bool will_resume() const override {
        return inbox_ != nullptr && inbox_->shutdown();
    }
    void at(const std::string& place) const override { places_.at(place); }

  private:
    Inbox* inbox_;
    PlaceReporter& places_;
    CandidateId id_;
};

/// Runs a candidate on all ranks of the group; a failure on any of them is the candidate's.
Outcome run_in_group(const WorkerFunction& run, const Candidate& candidate,
                     const Communicator& group, const CancelToken& token) {
    Outcome outcome = guarded_run(run, candidate, group, token);
    if (group.size() == 1) return outcome;
    const bool failed = outcome.status == Status::failed;
    const std::vector<std::string> failures = group.all_gather(
        failed ? "rank " + std::to_string(group.rank()) + " of the group: " + outcome.reason
               : std::string());
    const auto other = std::find_if(failures.begin(), failures.end(),
                                    [](const std::string& text) { return !text.empty(); });
    if (!failed && other != failures.end()) {
        outcome.status = Status::failed;
        outcome.metrics.clear();
        outcome.reason = *other;
    }
    return outcome;
}

/// Outcomes on their way to the coordinator, several to a message when they are quick.
class OutcomeSender {
  public:
    explicit OutcomeSender(const Communicator& world) : world_(world) {}

    void add(Outcome outcome) {
        outcomes_.push_back(std::move(outcome));
        if (steady_seconds() - sent_ > results_interval_s) flush();
    }
    void flush() {
        if (outcomes_.empty()) return;
        world_.send(coordinator, int(MessageTag::results), encode_outcomes(outcomes_));
        outcomes_.clear();
        sent_ = steady_seconds();
    }

  private:
    const Communicator& world_;
    std::vector<Outcome> outcomes_;
    double sent_ = 0;
};

void lead(const Communicator& world, const Communicator& group, const WorkerFunction& run) {
    Inbox inbox(world);
    PlaceReporter places(world);
    OutcomeSender sender(world);
    for (;;) {
        if (inbox.empty()) sender.flush();
        inbox.wait_for_work();
        if (inbox.shutdown()) break;
        const Candidate candidate = inbox.next();
        if (inbox.is_cancelled(candidate.id)) {
            sender.add(cancelled_before_start(candidate.id));
        } else {
            std::string bytes = group.size() > 1 ? encode_candidates({candidate}) : std::string();
            group.broadcast(bytes, 0);
            sender.add(
                run_in_group(run, candidate, group, WorkerToken(&inbox, places, candidate.id)));
        }
    }
    std::string nothing = encode_candidates({});
    group.broadcast(nothing, 0);
}

void follow(const Communicator& world, const Communicator& group, const WorkerFunction& run) {
    PlaceReporter places(world);
    for (;;) {
        std::string bytes;
        group.broadcast(bytes, 0);
        const std::vector<Candidate> candidates = decode_candidates(bytes);
        if (candidates.empty()) return;
        const Candidate& candidate = candidates.front();
        (void)run_in_group(run, candidate, group, WorkerToken(nullptr, places, candidate.id));
    }
}

}  // namespace

void serve_candidates(const Communicator& world, const GroupPlan& plan, const WorkerFunction& run) {
    const std::optional<Communicator> group = world.split(plan.group_of(world.rank()));
    if (group && group->rank() == 0)
        lead(world, *group, run);
    else if (group)
        follow(world, *group, run);
    else
        Inbox(world).wait_for_work();
    world.send(coordinator, int(MessageTag::goodbye), "");
    world.flush(flush_limit_s);
}

}  // namespace edgeloop
