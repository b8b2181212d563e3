#pragma once

#include "support/numbered_design.hpp"

#include "edgeloop/link/agent_session.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace edgeloop {

/// A device that answers jobs without measuring anything: latency_ms is the number
/// of its numbered_design.hpp.
class ScriptedAgent {
  public:
    enum class Behaviour { measures, fails, never_answers };
    /// Overrides what a job is answered with.
    using Script = std::function<MeasurementResult(const MeasurementJob&)>;

    ScriptedAgent(const std::string& endpoint, const std::string& name,
                  Behaviour behaviour = Behaviour::measures, const std::string& device_class = "x")
        : ScriptedAgent(options(endpoint, name, device_class), script_of(behaviour), behaviour) {}

    ScriptedAgent(const AgentOptions& options, Script script,
                  Behaviour behaviour = Behaviour::measures)
        : script_(std::move(script)),
          behaviour_(behaviour),
          session_(std::make_unique<AgentSession>(options)),
          thread_([this] { run(); }) {}

    ~ScriptedAgent() { vanish(); }
    ScriptedAgent(const ScriptedAgent&) = delete;
    ScriptedAgent& operator=(const ScriptedAgent&) = delete;

    /// Ends the session without answering what it holds.
    void vanish() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
        session_.reset();
    }
    [[nodiscard]] bool wait_for_a_job(double seconds) {
        std::unique_lock lock(mutex_);
        return got_one_.wait_for(lock, std::chrono::duration<double>(seconds),
                                 [this] { return taken_ > 0; });
    }
    [[nodiscard]] std::size_t measured() const { return measured_; }
    [[nodiscard]] AgentSession& session() { return *session_; }

    static AgentOptions options(const std::string& endpoint, const std::string& name,
                                const std::string& device_class = "x") {
        AgentOptions made;
        made.endpoint = endpoint;
        made.name = name;
        made.device_class = device_class;
        made.record = Json{{"name", name}}.dump();
        made.max_back_off_s = 0.2;
        return made;
    }

  private:
    static MeasurementResult echo(const MeasurementJob& job) {
        MeasurementResult result;
        result.metrics["latency_ms"] = test::number_in(job.spec);
        result.seconds = 0.001;
        return result;
    }
    static MeasurementResult failure(const MeasurementJob&) {
        MeasurementResult result;
        result.status = Status::failed;
        result.reason = "scripted failure";
        return result;
    }
    static Script script_of(Behaviour behaviour) {
        return behaviour == Behaviour::fails ? Script(failure) : Script(echo);
    }

    void run() {
        while (!stopping_) {
            const auto held = session_->next(0.02);
            if (!held) continue;
            {
                const std::lock_guard lock(mutex_);
                ++taken_;
            }
            got_one_.notify_all();
            while (behaviour_ == Behaviour::never_answers && !stopping_)
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            if (stopping_ && behaviour_ == Behaviour::never_answers) return;
            session_->finish(held->id, script_(held->job));
            ++measured_;
        }
    }

    Script script_;
    Behaviour behaviour_;
    std::unique_ptr<AgentSession> session_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::size_t> measured_{0};
    std::mutex mutex_;
    std::condition_variable got_one_;
    std::size_t taken_ = 0;
    std::thread thread_;
};

}  // namespace edgeloop
