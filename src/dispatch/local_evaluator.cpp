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

struct LocalEvaluator::Impl {
    /// Asks the evaluator whether its candidate was cancelled.
    class Token : public CancelToken {
      public:
        Token(Impl& impl, CandidateId id) : impl_(impl), id_(id) {}
        [[nodiscard]] bool requested() const override {
            const std::lock_guard<std::mutex> lock(impl_.mutex);
            return impl_.stopping || impl_.cancelled.count(id_) > 0 || past_limit();
        }
        [[nodiscard]] bool will_resume() const override {
            const std::lock_guard<std::mutex> lock(impl_.mutex);
            return impl_.stopping;
        }

        [[nodiscard]] bool past_limit() const {
            if (impl_.limit_s <= 0) return false;
            const double paused = impl_.paused() - paused_;
            return steady_seconds() - started_ - paused > impl_.limit_s;
        }

      private:
        Impl& impl_;
        CandidateId id_;
        double started_ = steady_seconds(), paused_ = impl_.paused();
    };

    Impl(WorkerFunction function, double candidate_limit_s, std::function<double()> pauses)
        : run(std::move(function)),
          limit_s(candidate_limit_s),
          paused_s(std::move(pauses)),
          thread([this] { work(); }) {}

    ~Impl() {
        {
            const std::lock_guard<std::mutex> lock(mutex);
            stopping = true;
        }
        wake.notify_all();
        thread.join();
    }

    void work() {
        while (const std::optional<Candidate> candidate = next()) {
            const Token token(*this, candidate->id);
            Outcome outcome = token.requested()
                                  ? cancelled_before_start(candidate->id)
                                  : guarded_run(run, *candidate, Communicator(), token);
            if (outcome.status == Status::cancelled && token.past_limit()) {
                outcome.status = Status::timed_out;
                outcome.reason = past_limit_text(limit_s);
            }
            finish(std::move(outcome));
        }
    }

    /// The next candidate, once there is one; nothing when the evaluator goes away.
    std::optional<Candidate> next() {
        std::unique_lock<std::mutex> lock(mutex);
        wake.wait(lock, [this] { return stopping || !queue.empty(); });
        if (stopping) return std::nullopt;
        Candidate candidate = std::move(queue.front());
        queue.pop_front();
        return candidate;
    }

    void finish(Outcome outcome) {
        const std::lock_guard<std::mutex> lock(mutex);
        outstanding.erase(outcome.id);
        cancelled.erase(outcome.id);
        if (outcome.status == Status::completed) depth.learn(outcome.seconds);
        done.push_back(std::move(outcome));
    }

    [[nodiscard]] double paused() const { return paused_s ? paused_s() : 0; }

    WorkerFunction run;
    double limit_s;
    std::function<double()> paused_s;
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Candidate> queue;
    std::set<CandidateId> outstanding;
    std::set<CandidateId> cancelled;
    std::vector<Outcome> done;
    QueueDepth depth;
    bool stopping = false;
    std::thread thread;  // last: it uses all of the above
};

LocalEvaluator::LocalEvaluator(WorkerFunction run, double candidate_limit_s,
                               std::function<double()> paused_s)
    : impl_(std::make_unique<Impl>(std::move(run), candidate_limit_s, std::move(paused_s))) {}
LocalEvaluator::~LocalEvaluator() = default;

std::size_t LocalEvaluator::free_slots() const {
    const std::lock_guard<std::mutex> lock(impl_->mutex);
    return impl_->depth.value() - std::min(impl_->depth.value(), impl_->outstanding.size());
}

void LocalEvaluator::submit(const Candidate& candidate) {
    EDGELOOP_EXPECT(free_slots() > 0, "submit() needs a free slot");
    {
        const std::lock_guard<std::mutex> lock(impl_->mutex);
        impl_->queue.push_back(candidate);
        impl_->outstanding.insert(candidate.id);
    }
    impl_->wake.notify_one();
}

void LocalEvaluator::cancel(CandidateId id) {
    const std::lock_guard<std::mutex> lock(impl_->mutex);
    if (impl_->outstanding.count(id) > 0) impl_->cancelled.insert(id);
}

std::vector<Outcome> LocalEvaluator::poll() {
    const std::lock_guard<std::mutex> lock(impl_->mutex);
    return std::exchange(impl_->done, {});
}

}  // namespace edgeloop
