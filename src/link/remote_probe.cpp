#include "edgeloop/link/remote_probe.hpp"

#include "link/dialer.hpp"
#include "link/fit.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/broker.hpp"
#include "edgeloop/link/rare_log.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t submit_window = 64;  ///< submits on the way without an answer
constexpr double resubmit_s = 10;
constexpr double busy_pause_s = 2;
constexpr double max_wait_s = 0.5;
constexpr std::size_t max_classes = 8;     ///< that a warning lists
constexpr std::size_t max_records = 1024;  ///< a device may change its name as often as it likes

}  // namespace

/// Where devices dial in to a search.
struct RemoteProbe::Hub {
    explicit Hub(const BrokerOptions& options) : broker(options, store) {}

    MemoryJobStore store;
    Broker broker;
};

struct RemoteProbe::Impl {
    struct Wanted {
        MeasurementJob job;
        std::set<CandidateId> candidates;
        std::uint64_t order = 0;
        std::uint64_t plain = 0;  ///< request before any repeat
        bool asked_again = false;
    };

    explicit Impl(const RemoteProbeOptions& given)
        : options(given), special(special_among(given.settings, given.metrics)) {}

    /// @param beside  whose hub is this one's too; null: opens its own, if it needs one.
    void start(const Impl* beside) {
        BridgeAddress address{options.edge.endpoint, options.keys, options.server_key};
        auto context = std::make_shared<ZmqContext>();
        double max_back_off_s = options.max_back_off_s;
        if (options.edge.mode != EdgeOption::Mode::connect) {
            hub = beside != nullptr ? beside->hub
                                    : std::make_shared<Hub>(BrokerOptions{
                                          address.endpoint, options.keys, options.allow_list,
                                          options.allow_plain_network, options.board});
            context = hub->broker.context();
            address = {hub->broker.local_endpoint(), {}, {}};
            max_back_off_s = 1;
        } else if (options.keys.empty() && !is_local_endpoint(address.endpoint) &&
                   !options.allow_plain_network) {
            throw ConfigError(
                fmt::format("'{}' is reached over a network and no key is given", address.endpoint),
                "anyone on the way could read and change what is sent",
                "give keys, use an ssh tunnel to 127.0.0.1, or allow it explicitly");
        }
        const wire::Hello hello{wire::Role::client,
                                wire::fit_name(options.name),
                                random_bits(),
                                options.device_class,
                                {}};
        dialer = std::make_unique<Dialer>(context, DialOptions{address, hello, max_back_off_s});
        thread = std::thread([this] { run(); });
    }

    void run() {
        try {
            while (!stopping) {
                speak(steady_seconds());
                for (const wire::Packet& packet : dialer->exchange(max_wait_s))
                    take(packet, steady_seconds());
            }
            dialer->shut_down();
        } catch (...) {
            const std::lock_guard lock(mutex);
            failure = std::current_exception();
        }
    }

    void take(const wire::Packet& packet, double now) {
        const std::lock_guard lock(mutex);
        const std::uint64_t id = packet.request;
        const bool was_asked = in_flight.erase(id) > 0;  // Accepted says no more
        if (std::holds_alternative<wire::Busy>(packet.message)) {
            if (was_asked) to_submit.push_back(id);
            resume_submits = now + busy_pause_s;
        } else if (const auto* result = std::get_if<wire::Result>(&packet.message)) {
            settle(id, result->result, now);
            dialer->send(wire::ResultAck{}, id);
        } else if (const auto* refused = std::get_if<wire::Refused>(&packet.message)) {
            settle(id, {{0, Status::failed, {}, "refused by the bridge: " + refused->reason}}, now);
        } else if (const auto* report = std::get_if<wire::LinkReport>(&packet.message)) {
            device_count = report->devices;
        } else if (const auto* device = std::get_if<wire::DeviceInfo>(&packet.message)) {
            if (!options.device_class.empty() && device->device_class != options.device_class) {
                if (other_classes.size() < max_classes) other_classes.insert(device->device_class);
                return;
            }
            if (records.count(device->name) != 0 || records.size() < max_records)
                records[device->name] = sound_record(device->record);
        }
    }

    void settle(std::uint64_t id, MeasurementResult outcome, double now) {
        const auto found = wanted.find(id);
        if (found == wanted.end()) return;  // answered before, or cancelled
        if (refuse_impossible(outcome, &found->second.job, outcome.device)) {
            // Not the network's fault; and a bridge that has kept it would say it again.
            outcome.status = Status::lost;
            ++impossible[found->second.plain];
            rare.warning("impossible", outcome.reason, now);
        }
        if (lacks_metered(outcome) && !found->second.asked_again) return ask_again(found);
        if (!outcome.record.empty()) outcome.record = sound_record(outcome.record);
        if (!outcome.device.empty()) measured_by.insert(outcome.device);
        for (const CandidateId candidate : found->second.candidates) {
            outcome.id = candidate;
            outcomes.push_back(outcome);
        }
        wanted.erase(found);
    }

    /// A bridge also answers with what it kept from when the device had no such meter.
    [[nodiscard]] bool lacks_metered(const Outcome& outcome) const {
        return outcome.status == Status::completed &&
               std::any_of(options.metrics.begin(), options.metrics.end(), [&](const auto& name) {
                   return needs_a_meter(name) && outcome.metrics.count(name) == 0;
               });
    }

    /// Once: as the next repeat, which is measured, or was for another search.
    void ask_again(std::map<std::uint64_t, Wanted>::iterator asked) {
        Wanted before = std::move(asked->second);
        wanted.erase(asked);
        before.job = repeated(std::move(before.job), 1);
        const std::uint64_t id = request_id(before.job);
        Wanted& again = wanted[id];
        again.candidates.merge(before.candidates);
        if (again.order != 0) return;  // is asked already
        again.job = std::move(before.job);
        again.order = before.order;
        again.plain = before.plain;
        again.asked_again = true;
        to_submit.push_back(id);
    }

    void resend_all() {
        in_flight.clear();
        std::vector<std::pair<std::uint64_t, std::uint64_t>> ordered;
        for (const auto& [id, item] : wanted) ordered.emplace_back(item.order, id);
        std::sort(ordered.begin(), ordered.end());
        to_submit.clear();
        for (const auto& [order, id] : ordered) to_submit.push_back(id);
    }

    void submit_more(double now) {
        for (auto& [id, sent] : in_flight)
            if (now - sent > resubmit_s && wanted.count(id) != 0) {
                sent = now;
                dialer->send(wire::Submit{wanted.at(id).job, 0}, id);
            }
        if (now < resume_submits) return;
        while (!to_submit.empty() && in_flight.size() < submit_window && dialer->up()) {
            const std::uint64_t id = to_submit.front();
            to_submit.pop_front();
            const auto found = wanted.find(id);
            if (found == wanted.end()) continue;
            in_flight[id] = now;
            dialer->send(wire::Submit{found->second.job, 0}, id);
        }
    }

    void speak(double now) {
        const std::lock_guard lock(mutex);
        if (dialer->take_opened()) resend_all();
        if (dialer->up()) {
            for (const std::uint64_t id : to_cancel) dialer->send(wire::Cancel{}, id);
            to_cancel.clear();
            submit_more(now);
        }
        update_state(now);
    }

    [[nodiscard]] std::string without_device() const {
        std::string text =
            options.device_class.empty()
                ? "no device connected"
                : fmt::format("no device of class '{}' connected", options.device_class);
        if (options.edge.mode == EdgeOption::Mode::bind) text += " to " + hub->broker.endpoint();
        if (!other_classes.empty())
            text += fmt::format(" (those that are: '{}')", fmt::join(other_classes, "', '"));
        return text;
    }

    /// What every device that has been here lacks; mutex is held.
    [[nodiscard]] std::optional<std::string> lacks() const {
        std::optional<std::string> what;
        for (const auto& [name, record] : records) {
            const auto missing = lacking(record, options.settings, options.metrics);
            if (!missing) return std::nullopt;
            what = fmt::format("device '{}' delivers {}", name, *missing);
        }
        if (records.empty() && special)
            what = "no device has said yet that it delivers " + *special;
        return what;
    }

    void update_state(double now) {
        const bool reachable = dialer->up();
        if (!reachable) {
            device_count = 0;
            other_classes.clear();
        }
        state.devices = device_count;
        state.up = reachable && device_count > 0;
        if (!reachable)
            state.text = dialer->state(now);
        else if (device_count == 0)
            state.text = without_device();
        else
            state.text = plural(device_count, "device");
        if (reachable && device_count == 0 && !other_classes.empty() && !wanted.empty() &&
            warned != state.text) {
            warned = state.text;
            log::warning("{} {}: {}", wanted.size(),
                         wanted.size() == 1 ? "design waits" : "designs wait", state.text);
        }
        if (!lacks() && (state.up || wanted.empty())) last_fine = now;
    }

    RemoteProbeOptions options;
    std::shared_ptr<Hub> hub;  ///< null: connects to a bridge
    std::unique_ptr<Dialer> dialer;

    mutable std::mutex mutex;
    // guarded by mutex
    std::map<std::uint64_t, Wanted> wanted;   ///< by request
    std::map<std::uint64_t, int> impossible;  ///< by plain request: answers that were refused
    std::uint64_t next_order = 1;
    std::deque<std::uint64_t> to_submit;
    std::vector<std::uint64_t> to_cancel;
    std::vector<Outcome> outcomes;
    std::map<std::string, std::string> records;  ///< device name -> record
    std::set<std::string> measured_by;
    std::size_t device_count = 0;
    LinkState state{"connecting", false, 0};
    double last_fine = steady_seconds();
    RareLog rare;
    std::set<std::string> other_classes;  ///< of devices that were seen and may not be used
    std::string warned;                   ///< about them
    std::exception_ptr failure;           ///< what ended the thread early
    std::optional<std::string> special;   ///< asked for, and not every device has it

    std::map<std::uint64_t, double> in_flight;  ///< submitted, not yet accepted -> when
    double resume_submits = 0;

    std::atomic<bool> stopping{false};
    std::thread thread;
};

RemoteProbe::RemoteProbe(const RemoteProbeOptions& options, const RemoteProbe* beside)
    : impl_(std::make_unique<Impl>(options)) {
    using Mode = EdgeOption::Mode;
    const Mode mode = options.edge.mode;
    EDGELOOP_EXPECT(mode == Mode::local || mode == Mode::bind || mode == Mode::connect,
                    "a remote probe needs a way to a device");
    wire::check_name("the class of devices", options.device_class);
    if (options.settings.to_json().dump().size() > wire::max_text_bytes)
        throw ConfigError("the settings of a measurement are too long to send",
                          fmt::format("at most {} bytes are", wire::max_text_bytes),
                          "use fewer batch sizes or a shorter name of the weights");
    impl_->start(beside != nullptr ? beside->impl_.get() : nullptr);
}

RemoteProbe::~RemoteProbe() {
    impl_->stopping = true;
    impl_->dialer->wake();
    impl_->thread.join();
}

void RemoteProbe::submit(const Candidate& candidate) {
    EDGELOOP_EXPECT(candidate.design, "only designs can be measured");
    MeasurementJob job = make_job(candidate.design->spec().to_json(), impl_->options.settings,
                                  impl_->options.device_class);
    if (job.spec.size() > wire::max_document_bytes)
        throw ConfigError(fmt::format("the specification of candidate {} has {} bytes",
                                      candidate.id, job.spec.size()),
                          fmt::format("at most {} can be sent", wire::max_document_bytes));
    const std::uint64_t plain = request_id(job);
    const std::lock_guard lock(impl_->mutex);
    if (const auto so_far = impl_->impossible.find(plain); so_far != impl_->impossible.end())
        job = repeated(std::move(job), so_far->second);
    const std::uint64_t id = request_id(job);
    Impl::Wanted& wanted = impl_->wanted[id];
    if (wanted.order == 0) {
        wanted.job = job;
        wanted.plain = plain;
        wanted.order = impl_->next_order++;
        impl_->to_submit.push_back(id);
    }
    wanted.candidates.insert(candidate.id);
    impl_->dialer->wake();
}

void RemoteProbe::cancel(CandidateId id) {
    const std::lock_guard lock(impl_->mutex);
    for (auto wanted = impl_->wanted.begin(); wanted != impl_->wanted.end(); ++wanted) {
        if (wanted->second.candidates.erase(id) == 0) continue;
        impl_->outcomes.push_back({id, Status::cancelled, {}, "cancelled", 0, {}, {}});
        if (wanted->second.candidates.empty()) {
            impl_->to_cancel.push_back(wanted->first);
            impl_->wanted.erase(wanted);
        }
        impl_->dialer->wake();
        return;
    }
}

std::vector<Outcome> RemoteProbe::poll() {
    if (impl_->hub) impl_->hub->broker.check();
    const std::lock_guard lock(impl_->mutex);
    if (impl_->failure) std::rethrow_exception(impl_->failure);
    return std::exchange(impl_->outcomes, {});
}

LinkState RemoteProbe::link() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->state;
}

std::optional<std::string> RemoteProbe::lacks() const {
    const std::lock_guard lock(impl_->mutex);
    std::optional<std::string> what = impl_->lacks();
    if (impl_->options.edge.mode == EdgeOption::Mode::local && impl_->records.empty() &&
        !impl_->other_classes.empty() && !impl_->options.is_one_of_several)
        throw ConfigError(fmt::format("this machine is of class '{}', and --device-class is '{}'",
                                      *impl_->other_classes.begin(), impl_->options.device_class),
                          {}, "drop --device-class, or give it this one");
    if (what && !impl_->records.empty() && impl_->options.edge.mode == EdgeOption::Mode::local)
        throw ConfigError("this machine cannot measure what the search asks for: " + *what, {},
                          "choose other objectives and limits, or a device that delivers it");
    return what;
}

std::vector<std::string> RemoteProbe::devices() const {
    const std::lock_guard lock(impl_->mutex);
    std::vector<std::string> records;
    for (const std::string& name : impl_->measured_by) {
        const auto found = impl_->records.find(name);
        if (found != impl_->records.end()) records.push_back(found->second);
    }
    return records;
}

std::size_t RemoteProbe::unconfirmed() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->to_submit.size() + impl_->in_flight.size();
}

std::string RemoteProbe::endpoint() const {
    return impl_->hub ? impl_->hub->broker.endpoint() : impl_->options.edge.endpoint;
}

double RemoteProbe::seconds_without_device() const {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->wanted.empty() && !impl_->lacks()) return 0;
    return std::max(0.0, steady_seconds() - impl_->last_fine);
}

}  // namespace edgeloop
