#pragma once

#include "support/checked_store.hpp"

#include "edgeloop/link/job_board.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop::fuzz {

using test::CheckedStore;
using test::require;

/// Two searches and two devices that keep to the protocol, and two keys with six connections that
/// say anything. Whatever those say, in any order, with time passing, connections lost, the store
/// in trouble and the board restarted:
///   - an answer to an honest search is from a device that was sent the job,
///   - limits are kept, and nothing is counted that is not there,
///   - in `peaceful` sequences, where hostile devices have no class that honest jobs ask for: each
///     honest job is answered, by an honest device, while the hostile go on.
class BoardSequence {
  public:
    using Choose = std::function<std::uint64_t(std::uint64_t)>;  ///< a number below the given one

    BoardSequence(Choose choose, bool peaceful)
        : choose_(std::move(choose)), peaceful_(peaceful), options_(limits()) {
        board_.emplace(options_, store_, 1, now_);
        for (std::size_t i = 0; i < searches_.size(); ++i)
            for (const MeasurementJob& job : honest_jobs(i)) searches_[i].jobs.push_back({job});
        honest_turn(true);
    }

    /// @param steps  of the hostile before the end begins. @return answers to honest searches.
    std::size_t run(std::uint64_t steps) {
        for (std::uint64_t step = 0; step < steps; ++step) {
            disturb();
            hostile_turn();
            honest_turn(choose_(2) == 0);
        }
        store_.why.clear();
        store_.room = true;
        constexpr int patience = 150;
        for (int second = 0; second < patience && peaceful_ && !all_answered(); ++second) {
            hostile_turn();
            pass(1);
            honest_turn(true);
        }
        require(!peaceful_ || all_answered(), "the work of others goes on");
        check_counts();
        leave_nothing();
        return answered_;
    }

  private:
    struct Asked {
        MeasurementJob job;
        std::uint64_t id = 0;
        bool answered = false;
        double due = 0;  ///< when it is said again
    };
    struct Search {
        std::string key, name, session;
        std::uint64_t nonce = 0;
        std::vector<Asked> jobs;
        double beat = 0;  ///< when the next heartbeat is due
    };
    struct Device {
        std::string key, name, device_class, session;
        std::uint64_t nonce = 0;
        std::set<std::uint64_t> holding;
        std::map<std::uint64_t, double> answers;  ///< not acknowledged -> when to say it again
        double beat = 0;
    };
    /// Who a session is, as the board has welcomed it.
    struct Welcomed {
        wire::Hello hello;
        std::string key;
        [[nodiscard]] std::string marker() const { return key + "/" + hello.name; }
    };

    static BoardOptions limits() {
        BoardOptions options;
        options.max_sessions = 16;
        options.max_queued = 12;
        options.max_queued_bytes = 40'000;
        options.max_record_bytes = 100'000;
        return options;
    }
    static MeasurementJob named_job(const std::string& name, const std::string& device_class) {
        return {"{\"n\":\"" + name + "\"}", "{}", device_class};
    }
    static const std::vector<MeasurementJob>& honest_jobs(std::size_t search) {
        static const std::array<std::vector<MeasurementJob>, 2> jobs{
            std::vector<MeasurementJob>{named_job("1", "x"), named_job("2", "y"),
                                        named_job("3", "x")},
            std::vector<MeasurementJob>{named_job("2", "y"), named_job("4", "y")}};
        return jobs[search];
    }
    /// What hostile searches ask for: honest jobs among others.
    static const std::vector<std::pair<std::uint64_t, MeasurementJob>>& all_jobs() {
        static const auto jobs = [] {
            std::vector<std::pair<std::uint64_t, MeasurementJob>> made;
            for (std::size_t search = 0; search < 2; ++search)
                for (const MeasurementJob& job : honest_jobs(search))
                    made.emplace_back(request_id(job), job);
            for (const char* device_class : {"x", "y", "z", "", "nobody"})
                for (const char* name : {"5", "6", "7"}) {
                    const MeasurementJob job = named_job(name, device_class);
                    made.emplace_back(request_id(job), job);
                }
            return made;
        }();
        return jobs;
    }

    std::uint64_t some_id() { return all_jobs()[choose_(all_jobs().size())].first; }

    void say(const std::string& from, const std::string& key, wire::Message message,
             std::uint64_t id = 0) {
        if (const auto* hello = std::get_if<wire::Hello>(&message)) said_[from] = {*hello, key};
        board_->receive(from, {std::move(message), id}, now_, {key, false});
        deliver();
    }

    void pass(double seconds) {
        now_ += seconds;
        board_->tick(now_);
        deliver();
    }

    void deliver() {
        for (auto sent = board_->take_outgoing(); !sent.empty(); sent = board_->take_outgoing())
            for (const auto& [to, packet] : sent) {
                if (std::holds_alternative<wire::Welcome>(packet.message))
                    welcomed_[to] = said_.at(to);
                if (std::holds_alternative<wire::Job>(packet.message)) check_job(to, packet);
                if (std::holds_alternative<wire::Accepted>(packet.message))
                    require(store_.open.count(packet.request) != 0 ||
                                store_.result(packet.request).has_value(),
                            "what is accepted is stored");
                for (Search& search : searches_)
                    if (search.session == to) take(search, packet);
                for (Device& device : devices_)
                    if (device.session == to) take(device, packet);
            }
    }

    void check_job(const std::string& to, const wire::Packet& packet) {
        const auto& job = std::get<wire::Job>(packet.message).job;
        const auto known = welcomed_.find(to);
        require(known != welcomed_.end() && known->second.hello.role == wire::Role::agent,
                "jobs go to devices");
        require(job.device_class.empty() || job.device_class == known->second.hello.device_class,
                "a device gets jobs of its class");
        given_[packet.request].insert(known->second.marker());
    }

    /// Whether it says that the session is not there; the peer opens another.
    static bool is_end(const wire::Packet& packet) {
        return std::holds_alternative<wire::UnknownSession>(packet.message) ||
               (std::holds_alternative<wire::Refused>(packet.message) && packet.request == 0);
    }

    void take(Search& search, const wire::Packet& packet) {
        if (is_end(packet)) search.session.clear();
        if (packet.request == 0) return;
        const auto asked =
            std::find_if(search.jobs.begin(), search.jobs.end(),
                         [&](const Asked& each) { return each.id == packet.request; });
        if (asked == search.jobs.end()) {
            require(!std::holds_alternative<wire::Result>(packet.message),
                    "answers go to those who asked");
            return;
        }
        if (std::holds_alternative<wire::Busy>(packet.message)) asked->due = now_ + 2;
        require(!std::holds_alternative<wire::Refused>(packet.message),
                "an honest job is not refused");
        const auto* done = std::get_if<wire::Result>(&packet.message);
        if (done == nullptr) return;
        const MeasurementResult& result = done->result;
        const bool is_of_a_device = !result.record.empty();
        if (is_of_a_device) {
            require(given_[asked->id].count(result.record) != 0,
                    "an answer is from a device that was given the job");
            require(result.record.substr(result.record.find('/') + 1) == result.device,
                    "an answer says which device it is from");
        } else {
            require(result.reason.find("crashing") == 0, "nobody drops the jobs of others");
        }
        require(
            !peaceful_ || (result.status == Status::completed && result.record.find("honest") == 0),
            "hostile devices of other classes answer nothing");
        answered_ += asked->answered ? 0 : 1;
        asked->answered = true;
    }

    void take(Device& device, const wire::Packet& packet) {
        if (is_end(packet)) device.session.clear();
        if (std::holds_alternative<wire::ResultAck>(packet.message))
            device.answers.erase(packet.request);
        if (!std::holds_alternative<wire::Job>(packet.message)) return;
        const auto answer = device.answers.find(packet.request);
        if (answer != device.answers.end())
            answer->second = 0;
        else
            device.holding.insert(packet.request);
    }

    /// Each honest peer says what is due; devices measure, if they `work` now.
    void honest_turn(bool work) {
        for (Search& search : searches_) {
            if (search.session.empty()) open(search);
            if (search.session.empty()) continue;
            if (now_ >= search.beat) say(search.session, search.key, wire::Heartbeat{});
            if (now_ >= search.beat) search.beat = now_ + 2;
            for (Asked& asked : search.jobs) {
                if (asked.answered || now_ < asked.due || search.session.empty()) continue;
                asked.id = request_id(asked.job);
                asked.due = now_ + 10;
                say(search.session, search.key, wire::Submit{asked.job, 0}, asked.id);
            }
        }
        for (Device& device : devices_) {
            if (device.session.empty()) open(device);
            if (device.session.empty()) continue;
            if (now_ >= device.beat) say(device.session, device.key, beat_of(device));
            if (now_ >= device.beat) device.beat = now_ + 2;
            if (work && !device.holding.empty() && !device.session.empty()) measure(device);
            const auto answers = device.answers;
            for (const auto& [id, due] : answers)
                if (now_ >= due && !device.session.empty()) answer(device, id);
        }
    }

    void open(Search& search) {
        search.session = search.name + std::to_string(next_session_++);
        say(search.session, search.key,
            wire::Hello{wire::Role::client, search.name, search.nonce, "", ""});
        for (Asked& asked : search.jobs) asked.due = 0;
    }
    void open(Device& device) {
        device.session = device.name + std::to_string(next_session_++);
        say(device.session, device.key,
            wire::Hello{wire::Role::agent, device.name, device.nonce, device.device_class, "{}"});
        if (device.session.empty()) return;
        say(device.session, device.key, beat_of(device));
        say(device.session, device.key, wire::Ready{2});
        for (auto& [id, due] : device.answers) due = 0;
    }
    static wire::Heartbeat beat_of(const Device& device) {
        wire::Heartbeat beat;
        beat.holding.assign(device.holding.begin(), device.holding.end());
        for (const auto& [id, due] : device.answers) beat.holding.push_back(id);
        return beat;
    }
    void measure(Device& device) {
        const std::uint64_t id = *device.holding.begin();
        device.holding.erase(id);
        say(device.session, device.key, wire::Started{}, id);
        device.answers[id] = 0;
    }
    void answer(Device& device, std::uint64_t id) {
        device.answers[id] = now_ + 10;
        MeasurementResult result;
        result.metrics["latency_ms"] = 1;
        result.record = device.key + "/" + device.name;
        say(device.session, device.key, wire::Result{result}, id);
    }

    /// What nobody says: time passes, connections break, the disk fills up, the bridge restarts.
    void disturb() {
        switch (choose_(16)) {
            case 0:
                return break_connection(searches_[choose_(searches_.size())].session);
            case 1:
                return break_connection(devices_[choose_(devices_.size())].session);
            case 2:
                store_.why = store_.why.empty() ? "the disk is full" : "";
                return;
            case 3:
                store_.room = !store_.room;
                return;
            case 4:
                if (!restarted_) restart();
                return;
            default:
                return pass(0.25 * static_cast<double>(choose_(9)));
        }
    }
    void break_connection(std::string& session) {
        dead_ = std::exchange(session, {});
        if (choose_(2) == 0) board_->disconnected(dead_, now_);
        deliver();
    }
    void restart() {
        restarted_ = true;
        board_.emplace(options_, store_, 2, now_);
        welcomed_.clear();
        for (Search& search : searches_) search.session.clear();
        for (Device& device : devices_) device.session.clear();
        honest_turn(false);
    }

    void hostile_turn() {
        const std::uint64_t number = choose_(6);
        const std::string key = number < 3 ? "hostile 1" : "hostile 2";
        std::string from = "h" + std::to_string(number);
        // A connection may choose the name of one that is gone.
        if (!dead_.empty() && choose_(8) == 0) from = dead_;
        const std::uint64_t what = choose_(24);
        if (what == 0) {
            board_->disconnected(from, now_);
            welcomed_.erase(from);
            return deliver();
        }
        const auto& [id, job] = all_jobs()[choose_(all_jobs().size())];
        if (what < 6) return say(from, key, hostile_hello());
        if (what < 12)
            return say(from, key,
                       wire::Submit{job, static_cast<std::int32_t>(choose_(3)) * 1'000'000},
                       choose_(16) == 0 ? id + 1 : id);
        if (what < 14) return say(from, key, wire::Cancel{}, id);
        if (what < 15)
            return say(from, key,
                       wire::Drop{choose_(2) == 0 ? "" : "x", choose_(2) == 0 ? "" : "a"},
                       choose_(2) == 0 ? 0 : id);
        if (what < 17)
            return say(from, key, wire::Heartbeat{choose_(2) == 0 ? id : 0, {id, some_id()}});
        if (what < 18) return say(from, key, wire::Ready{static_cast<std::uint32_t>(choose_(20))});
        if (what < 19) return say(from, key, wire::Started{}, id);
        if (what < 22) return say(from, key, hostile_result(from), id);
        if (what < 23) return say(from, key, wire::Shutdown{});
        say(from, key, hostile_noise(job), id);
    }
    wire::Message hostile_hello() {
        static const std::array<const char*, 6> names{"a", "b", "d", "e", "h", "i"};
        static const std::array<const char*, 4> classes{"", "z", "x", "y"};
        wire::Hello hello;
        hello.role = static_cast<wire::Role>(1 + choose_(3));
        hello.name = names[choose_(names.size())];
        hello.nonce = choose_(6);
        hello.device_class = classes[choose_(peaceful_ ? 2 : 4)];
        if (choose_(8) == 0) hello.record = std::string(60'000, ' ');
        return hello;
    }
    wire::Message hostile_result(const std::string& from) {
        wire::Result message;
        MeasurementResult& result = message.result;
        result.status = static_cast<Status>(choose_(4));
        result.failure_of = static_cast<FailureOf>(choose_(2));
        const bool is_possible = choose_(2) == 0;
        result.metrics["latency_ms"] = is_possible ? 2 : -1;
        if (choose_(4) == 0) result.metrics["latency_valid"] = 0;
        result.seconds = is_possible ? 1 : choose_(2) == 0 ? -1e308 : 1e308;
        result.reason = "no";
        const auto known = welcomed_.find(from);
        result.record = known == welcomed_.end() ? from : known->second.marker();
        return message;
    }
    wire::Message hostile_noise(const MeasurementJob& job) {
        switch (choose_(6)) {
            case 0:
                return wire::StatusRequest{};
            case 1:
                return wire::Welcome{1, 1};
            case 2:
                return wire::Job{job};
            case 3:
                return wire::Accepted{};
            case 4:
                return wire::UnknownSession{};
            default:
                return wire::ResultAck{};
        }
    }

    [[nodiscard]] bool all_answered() const {
        return std::all_of(searches_.begin(), searches_.end(), [](const Search& search) {
            return std::all_of(search.jobs.begin(), search.jobs.end(),
                               [](const Asked& asked) { return asked.answered; });
        });
    }
    void check_counts() const {
        const Json status = board_->status(now_);
        require(status.at("open_jobs") == store_.open.size(), "what is open is stored");
        require(status.at("open_jobs") <= options_.max_queued &&
                    status.at("queued") <= status.at("open_jobs"),
                "the queue keeps its limit");
        require(status.at("open_bytes") <= options_.max_queued_bytes, "and that of its bytes");
        require(
            status.at("sessions") <= options_.max_sessions &&
                status.at("devices").size() + status.at("clients").size() <= status.at("sessions"),
            "sessions keep their limit");
        std::uint64_t bytes = 0;
        for (const Json& share : status.at("shares"))
            bytes += share.at("bytes").get<std::uint64_t>();
        require(status.at("open_bytes") == bytes, "the shares are the whole");
        for (const Json& device : status.at("devices")) {
            const double busy = device.at("busy_fraction");
            require(busy >= 0 && busy <= 1, "no device has worked for less than no time");
        }
    }
    /// When all have left and an operator has dropped the rest nothing is counted any more.
    void leave_nothing() {
        for (const auto& [session, hello] : said_) board_->disconnected(session, now_);
        deliver();
        constexpr const char* operating = "operator";
        board_->receive(operating, {wire::Hello{wire::Role::client, operating, 1, "", ""}, 0}, now_,
                        {operating, true});
        board_->receive(operating, {wire::Drop{}, 0}, now_, {operating, true});
        board_->disconnected(operating, now_);
        (void)board_->take_outgoing();
        const Json status = board_->status(now_);
        require(store_.open.empty() && status.at("open_jobs") == 0 && status.at("queued") == 0,
                "no job is left");
        require(status.at("open_bytes") == 0 && status.at("shares").empty() &&
                    status.at("sessions") == 0,
                "nothing is counted that is not there");
    }

    Choose choose_;
    bool peaceful_;
    BoardOptions options_;
    CheckedStore store_;
    std::optional<JobBoard> board_;
    double now_ = 0;
    std::array<Search, 2> searches_{Search{"honest a", "a", {}, 1, {}},
                                    Search{"honest b", "b", {}, 2, {}}};
    std::array<Device, 2> devices_{Device{"honest d", "d", "x", {}, 3, {}, {}},
                                   Device{"honest e", "e", "y", {}, 4, {}, {}}};
    std::map<std::string, Welcomed> said_, welcomed_;       ///< by session
    std::map<std::uint64_t, std::set<std::string>> given_;  ///< job -> devices it was sent to
    std::string dead_;                                      ///< a session whose connection broke
    std::uint64_t next_session_ = 1;
    std::size_t answered_ = 0;
    bool restarted_ = false;
};

}  // namespace edgeloop::fuzz
