#include "edgeloop/dispatch/local_evaluator.hpp"

#include "guarded_run.hpp"
#include "queue_depth.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

namespace edgeloop {
namespace {

class LocalEvaluator final : public Evaluator {
  public:
    LocalEvaluator(WorkerFunction run, double limit_s, std::function<double()> paused_s,
                   bool one_at_a_time)
        : run_(std::move(run)),
          limit_s_(limit_s),
          paused_s_(std::move(paused_s)),
          depth_(one_at_a_time ? QueueDepth(1) : QueueDepth()),
          thread_([this] { work(); }) {}
    ~LocalEvaluator() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        thread_.join();
    }

    [[nodiscard]] std::size_t free_slots() const override {
        const std::lock_guard lock(mutex_);
        // What was not collected counts: the next candidate is chosen by it.
        const std::size_t depth = depth_.value();
        return depth - std::min(depth, outstanding_.size() + done_.size());
    }

    void submit(const Candidate& candidate) override {
        EDGELOOP_EXPECT(free_slots() > 0, "submit() needs a free slot");
        {
            const std::lock_guard lock(mutex_);
            queue_.push_back(candidate);
            outstanding_.insert(candidate.id);
        }
        wake_.notify_one();
    }

    void cancel(CandidateId id) override {
        const std::lock_guard lock(mutex_);
        if (outstanding_.count(id) > 0) cancelled_.insert(id);
    }

    [[nodiscard]] std::vector<Outcome> poll() override {
        const std::lock_guard lock(mutex_);
        return std::exchange(done_, {});
    }

  private:
    /// Asks the evaluator whether its candidate was cancelled.
    class Token : public CancelToken {
      public:
        Token(LocalEvaluator& evaluator, CandidateId id) : evaluator_(evaluator), id_(id) {}
        [[nodiscard]] bool requested() const override {
            const std::lock_guard lock(evaluator_.mutex_);
            return evaluator_.stopping_ || evaluator_.cancelled_.count(id_) > 0 || past_limit();
        }
        [[nodiscard]] bool will_resume() const override {
            const std::lock_guard lock(evaluator_.mutex_);
            return evaluator_.stopping_;
        }
        [[nodiscard]] bool past_limit() const {
            if (evaluator_.limit_s_ <= 0) return false;
            const double paused = evaluator_.paused() - paused_;
            return steady_seconds() - started_ - paused > evaluator_.limit_s_;
        }

      private:
        LocalEvaluator& evaluator_;
        CandidateId id_;
        double started_ = steady_seconds(), paused_ = evaluator_.paused();
    };

    void work() {
        while (const std::optional<Candidate> candidate = next()) {
            const Token token(*this, candidate->id);
            Outcome outcome = token.requested()
                                  ? cancelled_before_start(candidate->id)
                                  : guarded_run(run_, *candidate, Communicator(), token);
            if (outcome.status == Status::cancelled && token.past_limit()) {
                outcome.status = Status::timed_out;
                outcome.reason = past_limit_text(limit_s_);
            }
            finish(std::move(outcome));
        }
    }

    /// The next candidate, once there is one; nothing when the evaluator goes away.
    std::optional<Candidate> next() {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (stopping_) return std::nullopt;
        Candidate candidate = std::move(queue_.front());
        queue_.pop_front();
        return candidate;
    }

    void finish(Outcome outcome) {
        const std::lock_guard lock(mutex_);
        outstanding_.erase(outcome.id);
        cancelled_.erase(outcome.id);
        if (outcome.status == Status::completed) depth_.learn(outcome.seconds);
        done_.push_back(std::move(outcome));
    }

    [[nodiscard]] double paused() const { return paused_s_ ? paused_s_() : 0; }

    WorkerFunction run_;
    double limit_s_;
    std::function<double()> paused_s_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Candidate> queue_;
    std::set<CandidateId> outstanding_, cancelled_;
    std::vector<Outcome> done_;
    QueueDepth depth_;
    bool stopping_ = false;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<Evaluator> make_local_evaluator(WorkerFunction run, double candidate_limit_s,
                                                std::function<double()> paused_s,
                                                bool one_at_a_time) {
    return std::make_unique<LocalEvaluator>(std::move(run), candidate_limit_s, std::move(paused_s),
                                            one_at_a_time);
}

}  // namespace edgeloop
