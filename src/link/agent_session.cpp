#include "edgeloop/link/agent_session.hpp"

#include "link/dialer.hpp"
#include "link/fit.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/file_store.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace edgeloop {
namespace {

constexpr double resend_s = 10;      ///< an unacknowledged result is sent again
constexpr double farewell_s = 1;     ///< for results still to be delivered at the end
constexpr double max_wait_s = 0.5;   ///< of the I/O thread between two looks
constexpr double ask_again_s = 2;    ///< for a piece of a file
constexpr std::uint64_t brings = 0;  ///< files come from one side only

}  // namespace

struct AgentSession::Impl {
    explicit Impl(const AgentOptions& given)
        : options(given),
          files(given.files_folder.empty()
                    ? nullptr
                    : std::make_unique<FileStore>(given.files_folder, Access::owner)),
          dialer(std::make_shared<ZmqContext>(),
                 {given,
                  {wire::Role::agent, given.name, random_bits(), given.device_class, given.record},
                  given.max_back_off_s}) {}

    struct Answer {
        MeasurementResult result;
        double sent = 0;  ///< when; 0: not yet in this session
    };

    [[nodiscard]] bool holds(std::uint64_t id) const {
        return id == running || answers.count(id) != 0 || withheld.count(id) != 0 ||
               std::any_of(waiting.begin(), waiting.end(),
                           [id](const HeldJob& held) { return held.id == id; });
    }

    /// Whether the job in front can be begun.
    [[nodiscard]] bool is_ready() const {
        return !waiting.empty() &&
               (!waiting.front().files.model.empty() || files_of(waiting.front().job).empty());
    }

    /// Why the job about a model in front cannot be done here; empty: it can.
    [[nodiscard]] std::string refusal_of(const HeldJob& held) const {
        if (!files) return "this device measures no models in files";
        const auto model = ModelJob::of(held.job.spec);
        return options.refusal ? options.refusal(*model) : std::string();
    }

    /// Fails the job in front.
    void fail_front(const std::string& reason) {
        MeasurementResult result;
        result.status = Status::failed;
        result.reason = reason;
        fit_to_limits(result);
        log::warning("{:016x}: {}", waiting.front().id, reason);
        answers[waiting.front().id] = {std::move(result), 0};
        waiting.pop_front();
    }

    /// Asks for what the job in front is about, piece by piece, and says when all of it is here.
    /// Not while another is measured, which it would disturb.
    void fetch_files(double now) {
        if (running != 0) return;
        while (!waiting.empty() && !is_ready()) {
            HeldJob& front = waiting.front();
            if (const std::string why = refusal_of(front); !why.empty()) {
                fail_front(why);
                continue;
            }
            const auto model = ModelJob::of(front.job.spec);
            for (const FileName& file : model->files()) {
                if (files->has(file)) continue;
                if (now - asked < ask_again_s) return;
                asked = now;
                dialer.send(wire::PieceRequest{file, files->received(file, brings)}, front.id);
                return;
            }
            front.files = {files->path_of(model->model),
                           model->has_vectors() ? files->path_of(model->vectors) : ""};
            in_use[front.id] = model->files();
        }
        if (is_ready()) arrived.notify_one();
    }

    void take_piece(std::uint64_t id, const wire::Piece& piece) {
        if (waiting.empty() || waiting.front().id != id || is_ready() || !files) return;
        const std::vector<FileName> wanted = files_of(waiting.front().job);
        if (std::find(wanted.begin(), wanted.end(), piece.file) == wanted.end()) return;
        asked = 0;
        if (files->has(piece.file)) return;
        try {
            if (piece.bytes.empty())
                return fail_front("the bridge does not have its file any more");
            if (files->append(piece.file, brings, piece.offset, piece.bytes) ==
                FileStore::Added::damaged)
                fail_front("a file came that is not the one that was promised");
        } catch (const Error& error) {
            fail_front(error.what());
        }
    }

    /// What no job is about any more goes.
    void clear_files() {
        if (!files) return;
        files->keep_only([this](const FileName& file) {
            return std::any_of(in_use.begin(), in_use.end(), [&](const auto& job) {
                return std::find(job.second.begin(), job.second.end(), file) != job.second.end();
            });
        });
    }

    [[nodiscard]] wire::Heartbeat heartbeat() const {
        wire::Heartbeat beat;
        beat.running = running;
        if (running != 0) beat.holding.push_back(running);
        for (const HeldJob& held : waiting) beat.holding.push_back(held.id);
        for (const std::uint64_t id : withheld)
            if (id != running && beat.holding.size() < wire::max_held_jobs)
                beat.holding.push_back(id);
        for (const auto& [id, answer] : answers)
            if (beat.holding.size() < wire::max_held_jobs) beat.holding.push_back(id);
        return beat;
    }

    void take(const wire::Packet& packet) {
        const std::lock_guard lock(mutex);
        if (const auto* job = std::get_if<wire::Job>(&packet.message)) {
            const auto answered = answers.find(packet.request);
            if (answered != answers.end()) answered->second.sent = 0;  // say it again
            if (holds(packet.request) || waiting.size() >= wire::max_held_jobs / 2) return;
            waiting.push_back({packet.request, job->job});
            fetch_files(steady_seconds());
        } else if (std::holds_alternative<wire::ResultAck>(packet.message)) {
            answers.erase(packet.request);
            arrived.notify_all();
        } else if (const auto* piece = std::get_if<wire::Piece>(&packet.message)) {
            take_piece(packet.request, *piece);
            fetch_files(steady_seconds());
        }
    }

    void speak(double now) {
        const std::lock_guard lock(mutex);
        const bool opened = dialer.take_opened();
        if (opened) {
            dialer.send(heartbeat());  // first of all: what is held is not given to others
            for (auto& [id, answer] : answers) answer.sent = 0;
            announce_start = running != 0;
        }
        dialer.set_heartbeat(heartbeat(), running != 0);
        if (dialer.up()) {
            for (auto& [id, answer] : answers) {
                if (answer.sent != 0 && now - answer.sent < resend_s) continue;
                answer.sent = now;
                dialer.send(wire::Result{answer.result}, id);
            }
            if (announce_start) dialer.send(wire::Started{}, running);
            announce_start = false;
            if (opened || credit_changed) {
                const auto kept = static_cast<std::uint32_t>(withheld.size());
                dialer.send(wire::Ready{stopping ? 0 : options.prefetch + kept});
            }
            credit_changed = false;
        }
        // Nothing new is begun without the other side: it may give the job to another device. It
        // sends what is still ours when the session is open again.
        if (!dialer.up()) {
            for (const HeldJob& held : waiting) in_use.erase(held.id);
            waiting.clear();
        } else {
            fetch_files(now);
        }
        state = dialer.state(now);
    }

    void run() {
        double deadline = 0;
        while (true) {
            const double now = steady_seconds();
            if (stopping) {
                if (deadline == 0) deadline = now + farewell_s;
                const std::lock_guard lock(mutex);
                // The other side has to know which job this one was at.
                const bool told = answers.empty() && !announce_start;
                if (told || now > deadline || !dialer.up()) break;
            }
            speak(now);
            for (const wire::Packet& packet : dialer.exchange(stopping ? 0.02 : max_wait_s))
                take(packet);
        }
        // Whoever leaves by an error may have been brought down by the job: it is not to be passed
        // on from device to device without being counted.
        if (!by_an_error) dialer.shut_down();
    }

    void run_guarded() {
        try {
            run();
        } catch (...) {
            const std::lock_guard lock(mutex);
            failure = std::current_exception();
            arrived.notify_all();
        }
    }

    AgentOptions options;
    std::unique_ptr<FileStore> files;
    Dialer dialer;
    mutable std::mutex mutex;
    std::condition_variable arrived;
    // guarded by mutex
    std::deque<HeldJob> waiting;
    std::uint64_t running = 0;
    bool announce_start = false;
    std::set<std::uint64_t> withheld;
    bool credit_changed = false;
    std::map<std::uint64_t, Answer> answers;
    std::map<std::uint64_t, std::vector<FileName>> in_use;  ///< by job
    double asked = 0;                                       ///< for a piece, last
    std::string state = "not connected yet";
    std::exception_ptr failure;  ///< what ended the thread early

    std::atomic<bool> stopping{false};
    std::atomic<bool> by_an_error{false};         ///< stopping, and not in order
    int exceptions = std::uncaught_exceptions();  ///< when the session began
    std::thread thread;
};

AgentSession::AgentSession(const AgentOptions& options) : impl_(std::make_unique<Impl>(options)) {
    if (options.name.empty()) throw ConfigError("an agent needs a name");
    wire::check_name("the name of the device", options.name);
    wire::check_name("the class of the device", options.device_class);
    if (options.record.size() > wire::max_document_bytes)
        throw ConfigError("the device record is too large to send");
    impl_->thread = std::thread([this] { impl_->run_guarded(); });
}

AgentSession::~AgentSession() {
    impl_->by_an_error = std::uncaught_exceptions() > impl_->exceptions;
    impl_->stopping = true;
    impl_->dialer.wake();
    impl_->thread.join();
}

std::optional<AgentSession::HeldJob> AgentSession::next(double seconds) {
    std::unique_lock lock(impl_->mutex);
    impl_->arrived.wait_for(lock, std::chrono::duration<double>(seconds),
                            [this] { return impl_->is_ready() || impl_->failure; });
    if (impl_->failure) std::rethrow_exception(impl_->failure);
    if (!impl_->is_ready()) return std::nullopt;
    HeldJob held = std::move(impl_->waiting.front());
    impl_->waiting.pop_front();
    impl_->running = held.id;
    impl_->announce_start = true;
    impl_->dialer.wake();
    return held;
}

void AgentSession::withhold(std::uint64_t id) {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->running == id) impl_->running = 0;
    impl_->withheld.insert(id);
    impl_->credit_changed = true;
    impl_->dialer.wake();
}

void AgentSession::resume(std::uint64_t id) {
    const std::lock_guard lock(impl_->mutex);
    impl_->running = id;
    impl_->announce_start = true;
    impl_->dialer.wake();
}

void AgentSession::finish(std::uint64_t id, MeasurementResult result) {
    fit_to_limits(result);
    // The bridge would refuse it too, but only the log of this device is its operator's.
    if (refuse_impossible(result, nullptr, impl_->options.name))
        log::warning("{:016x}: {}", id, result.reason);
    const std::lock_guard lock(impl_->mutex);
    if (impl_->running == id) impl_->running = 0;
    if (impl_->withheld.erase(id) != 0) impl_->credit_changed = true;
    impl_->answers[id] = {std::move(result), 0};
    if (impl_->in_use.erase(id) != 0) impl_->clear_files();
    impl_->dialer.wake();
}

std::string AgentSession::state() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->state;
}

}  // namespace edgeloop
