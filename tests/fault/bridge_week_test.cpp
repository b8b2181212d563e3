// Weeks of a bridge in fast motion: many jobs, while searches, devices and keys come and go, jobs
// are left, dropped and expire, and the disk is full at times.
#include "link/socket.hpp"
#include "support/bridge_process.hpp"
#include "support/eventually.hpp"
#include "support/loud_peer.hpp"
#include "support/numbered_design.hpp"
#include "support/setting.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/link/bridge_client.hpp"
#include "edgeloop/link/keys.hpp"
#include "edgeloop/link/limits.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace edgeloop {
namespace {

using test::LoudPeer;

constexpr double heartbeat_s = 1, say_again_s = 2;
constexpr std::size_t classes = 3, keys_of_a_kind = 4;
constexpr int max_results = 2000, max_queued = 400;

std::string class_name(std::size_t number) {
    return std::string(1, static_cast<char>('a' + number));
}

/// A key that is listed, until it is removed.
struct Listed {
    LinkKeys keys;
    std::string file;
};

/// Where a bridge is that only listed keys reach.
struct Place {
    Place() { write_keys(folder.path("bridge.key"), server); }
    Listed list(const std::string& kind) {
        std::filesystem::create_directories(folder.path("allowed/" + kind));
        Listed made{generate_keys(), folder.path(fmt::format("allowed/{}/{}.pub", kind, ++keys))};
        write_file_atomic(made.file, made.keys.public_key + "\n");
        return made;
    }
    [[nodiscard]] std::vector<std::string> options() const {
        return {"--keys",
                folder.path("bridge.key"),
                "--allow",
                folder.path("allowed"),
                "--max-results",
                std::to_string(max_results),
                "--max-queued",
                std::to_string(max_queued),
                "--unclaimed-expire",
                "0.0002"};  // 17 s
    }
    [[nodiscard]] std::unique_ptr<LoudPeer> peer(const LinkKeys& with) const {
        return std::make_unique<LoudPeer>(bridge->endpoint(), with, server.public_key, context);
    }

    test::TemporaryFolder folder;
    LinkKeys server = generate_keys();
    std::shared_ptr<zmq::context_t> context = std::make_shared<zmq::context_t>();
    std::unique_ptr<test::BridgeProcess> bridge;
    int keys = 0;
    std::atomic<bool> in_trouble{false};  ///< since it was last asked, as the watch sees it
    Listed operating = list("operators");
};

/// A peer that keeps to the protocol: opens its session again when the bridge does not know it, and
/// says that it is there.
class Honest {
  public:
    Honest(const Place& place, const LinkKeys& keys, wire::Hello hello)
        : place_(place), keys_(keys), hello_(std::move(hello)) {
        open(steady_seconds());
    }
    virtual ~Honest() = default;
    Honest(const Honest&) = delete;
    Honest& operator=(const Honest&) = delete;

    /// @return whether anything has come.
    bool turn(double now) {
        const std::vector<wire::Packet> packets = peer_->heard();
        bool is_over = false;
        for (const wire::Packet& packet : packets) {
            if (std::holds_alternative<wire::Welcome>(packet.message)) {
                is_open_ = true;
                opened(now);
            }
            is_over |=
                std::holds_alternative<wire::UnknownSession>(packet.message) ||
                (std::holds_alternative<wire::Refused>(packet.message) && packet.request == 0);
            take(packet, now);
        }
        if (is_over) {
            is_open_ = false;
            open_again_ = now + say_again_s;
        }
        if (!is_open_ && now >= open_again_) open(now);
        if (!is_open_) return !packets.empty();
        if (now >= beat_) peer_->say(beat());
        if (now >= beat_) beat_ = now + heartbeat_s;
        work(now);
        return !packets.empty();
    }

  protected:
    LoudPeer& peer() { return *peer_; }
    virtual void opened(double now) = 0;
    virtual void take(const wire::Packet& packet, double now) = 0;
    virtual void work(double now) = 0;
    [[nodiscard]] virtual wire::Heartbeat beat() const { return {}; }

  private:
    void open(double now) {
        peer_ = place_.peer(keys_);
        peer_->say(hello_);
        open_again_ = now + 5 * say_again_s;
    }

    const Place& place_;
    LinkKeys keys_;
    wire::Hello hello_;
    std::unique_ptr<LoudPeer> peer_;
    bool is_open_ = false;
    double open_again_ = 1e300, beat_ = 0;
};

/// Asks for jobs, some at a time, and looks at each answer.
class Search final : public Honest {
  public:
    Search(const Place& place, const LinkKeys& keys, int number, std::uint64_t first,
           std::uint64_t count)
        : Honest(place, keys,
                 {wire::Role::client, fmt::format("search {}", number), random_bits(), "", ""}),
          next_(first),
          end_(first + count) {}

    [[nodiscard]] std::uint64_t answered() const { return answered_; }
    [[nodiscard]] bool is_done() const { return next_ == end_ && waiting_.empty(); }

  private:
    struct Asked {
        std::uint64_t number;
        MeasurementJob job;
        double due = 0;  ///< when it is said again
    };

    void opened(double) override {
        for (auto& [id, asked] : waiting_) asked.due = 0;
    }
    void take(const wire::Packet& packet, double now) override {
        const auto asked = waiting_.find(packet.request);
        if (asked == waiting_.end()) return;
        if (std::holds_alternative<wire::Accepted>(packet.message)) asked->second.due = now + 20;
        const auto* done = std::get_if<wire::Result>(&packet.message);
        if (done == nullptr) return;
        EXPECT_EQ(done->result.status, Status::completed) << done->result.reason;
        const auto latency = done->result.metrics.find("latency_ms");
        if (latency == done->result.metrics.end()) return;
        EXPECT_DOUBLE_EQ(latency->second, static_cast<double>(asked->second.number));
        ++answered_;
        waiting_.erase(asked);
    }
    void work(double now) override {
        constexpr std::size_t at_a_time = 16;
        for (; next_ < end_ && waiting_.size() < at_a_time; ++next_) {
            const MeasurementJob job{Json{{"n", next_}}.dump(), "{}", class_name(next_ % classes)};
            waiting_[request_id(job)] = {next_, job};
        }
        for (auto& [id, asked] : waiting_) {
            if (now < asked.due) continue;
            asked.due = now + say_again_s;
            peer().say(wire::Submit{asked.job, 0}, id);
        }
    }

    std::uint64_t next_, end_, answered_ = 0;
    std::map<std::uint64_t, Asked> waiting_;
};

/// Answers each job with its number, and keeps the answer until it is acknowledged.
class Device final : public Honest {
  public:
    Device(const Place& place, const LinkKeys& keys, int number, std::size_t of_class)
        : Honest(place, keys,
                 {wire::Role::agent, fmt::format("device {}", number), random_bits(),
                  class_name(of_class), Json{{"about", std::string(1000, 'x')}}.dump()}),
          of_class_(of_class) {}

    [[nodiscard]] std::size_t of_class() const { return of_class_; }

  private:
    struct Answer {
        MeasurementResult result;
        double due = 0;  ///< when it is said again
    };

    void opened(double) override {
        for (auto& [id, answer] : answers_) answer.due = 0;
        peer().say(beat());
        peer().say(wire::Ready{4});
    }
    [[nodiscard]] wire::Heartbeat beat() const override {
        wire::Heartbeat said;
        for (const auto& [id, answer] : answers_) said.holding.push_back(id);
        return said;
    }
    void take(const wire::Packet& packet, double) override {
        if (std::holds_alternative<wire::ResultAck>(packet.message)) answers_.erase(packet.request);
        const auto* job = std::get_if<wire::Job>(&packet.message);
        if (job == nullptr) return;
        peer().say(wire::Started{}, packet.request);
        Answer answer;
        answer.result.metrics["latency_ms"] = Json::parse(job->job.spec).at("n").get<double>();
        answer.result.record = Json{{"about", std::string(500, 'x')}}.dump();
        answers_[packet.request] = std::move(answer);
    }
    void work(double now) override {
        for (auto& [id, answer] : answers_) {
            if (now < answer.due) continue;
            answer.due = now + say_again_s;
            peer().say(wire::Result{answer.result}, id);
        }
    }

    std::size_t of_class_;
    std::map<std::uint64_t, Answer> answers_;
};

/// What an operator sees, looked at four times a second in a thread of its own.
class Watch {
  public:
    explicit Watch(Place& place) : place_(place), thread_([this] { run(); }) {}
    ~Watch() { (void)end(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    struct Seen {
        std::vector<double> status_ms, resident_mib, store_mib;
        std::uint64_t open_jobs = 0, sessions = 0, results = 0;  ///< at most
        bool was_in_trouble = false;
    };
    /// Ends the looking.
    [[nodiscard]] const Seen& end() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
        return seen_;
    }

  private:
    void look(LoudPeer& peer) {
        const double asked = steady_seconds();
        peer.say(wire::StatusRequest{});
        while (steady_seconds() < asked + 10)
            for (const wire::Packet& packet : peer.hear(0)) {
                const auto* reply = std::get_if<wire::StatusReply>(&packet.message);
                if (reply == nullptr) continue;
                seen_.status_ms.push_back(1e3 * (steady_seconds() - asked));
                note(Json::parse(reply->json));
                return;
            }
        ADD_FAILURE() << "no status within 10 s";
    }
    void note(const Json& status) {
        const auto most = [&](const char* what, std::uint64_t& so_far) {
            so_far = std::max(so_far, status.at(what).get<std::uint64_t>());
        };
        most("open_jobs", seen_.open_jobs);
        most("sessions", seen_.sessions);
        most("results", seen_.results);
        if (!status.at("trouble").get<std::string>().empty())
            place_.in_trouble = seen_.was_in_trouble = true;
        seen_.resident_mib.push_back(place_.bridge->resident_mib("VmRSS"));
        seen_.store_mib.push_back(place_.bridge->store_mib());
    }
    void run() {
        const auto peer = place_.peer(place_.operating.keys);
        while (!stopping_) {
            look(*peer);
            std::this_thread::sleep_for(std::chrono::milliseconds(250));
        }
    }

    Place& place_;
    Seen seen_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

/// Peers that come and go, as chance wants it.
class Traffic {
  public:
    Traffic(Place& place, std::uint64_t jobs) : place_(place), jobs_(jobs) {
        for (Listed& key : searching_) key = place.list("searches");
        for (Listed& key : measuring_) key = place.list("devices");
    }
    /// Until all jobs are asked for and what nobody has left is answered.
    void run() {
        const double give_up = steady_seconds() + 120 + 0.05 * static_cast<double>(jobs_);
        while (!is_done()) {
            ASSERT_LT(steady_seconds(), give_up) << answered() << " of " << asked_ << " answered";
            ASSERT_TRUE(place_.bridge->is_running());
            keep_company();
            const double now = steady_seconds();
            bool came = false;
            for (auto& search : searches_) came |= search.second->turn(now);
            for (auto& device : devices_) came |= device.second->turn(now);
            searches_.remove_if([&](const auto& search) {
                if (!search.second->is_done()) return false;
                answered_ += search.second->answered();
                return true;
            });
            if (disk_full_since_ > 0) free_disk(now);
            if (asked_ >= next_disturbance_ && disk_full_since_ == 0) disturb(now);
            if (!came) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    [[nodiscard]] std::string summary() const {
        return fmt::format(
            "{} jobs asked for, {} answered, {} left by searches that vanished; {} searches, {} "
            "devices, {} keys",
            asked_, answered_, left_, searches_made_, devices_made_, place_.keys);
    }
    [[nodiscard]] std::uint64_t answered() const {
        std::uint64_t all = answered_;
        for (const auto& search : searches_) all += search.second->answered();
        return all;
    }

  private:
    static constexpr std::uint64_t jobs_of_a_search = 60;
    template <class Peer>
    using Company = std::list<std::pair<std::size_t, std::unique_ptr<Peer>>>;  ///< by its key

    [[nodiscard]] bool is_done() const {
        return asked_ >= jobs_ && searches_.empty() && disk_full_since_ == 0;
    }
    void keep_company() {
        while (searches_.size() < 6 && asked_ < jobs_) {
            const std::size_t key = random_.below(keys_of_a_kind);
            searches_.emplace_back(
                key, std::make_unique<Search>(place_, searching_[key].keys, ++searches_made_,
                                              asked_ + 1, jobs_of_a_search));
            asked_ += jobs_of_a_search;
        }
        std::array<int, classes> there{};
        for (const auto& device : devices_) ++there[device.second->of_class()];
        for (std::size_t of_class = 0; of_class < classes; ++of_class)
            for (; there[of_class] < 2; ++there[of_class]) {
                const std::size_t key = random_.below(keys_of_a_kind);
                devices_.emplace_back(key, std::make_unique<Device>(place_, measuring_[key].keys,
                                                                    ++devices_made_, of_class));
            }
    }
    void leave(Company<Search>::iterator search) {
        answered_ += search->second->answered();
        left_ += jobs_of_a_search - search->second->answered();
        searches_.erase(search);
    }
    /// When the bridge has met it, and goes on for a moment.
    void free_disk(double now) {
        constexpr double moment_s = 1.5, patience_s = 20;
        const double full_s = now - disk_full_since_;
        if (full_s < moment_s || (!place_.in_trouble && full_s < patience_s)) return;
        place_.bridge->fill_disk(false);
        disk_full_since_ = 0;
    }
    void disturb(double now) {
        constexpr std::uint64_t hours = 7 * 24;  // something happens in each
        next_disturbance_ = asked_ + std::max(jobs_of_a_search, jobs_ / hours);
        switch (disturbances_++ % 8) {
            case 0:  // the disk is full for a while
                place_.bridge->fill_disk(true);
                disk_full_since_ = now;
                place_.in_trouble = false;
                return;
            case 1:
            case 2:  // a search vanishes
                if (!searches_.empty()) leave(searches_.begin());
                return;
            case 3:
            case 4:  // a device vanishes
                return devices_.pop_front();
            case 5:
                return renew("searches", searching_, searches_);
            case 6:
                return renew("devices", measuring_, devices_);
            default:
                return ask_for_nobody();
        }
    }
    /// A key is no longer listed, and another one is. Whoever had it is out.
    template <class Peer>
    void renew(const char* kind, std::array<Listed, keys_of_a_kind>& listed, Company<Peer>& peers) {
        const std::size_t which = random_.below(keys_of_a_kind);
        std::filesystem::remove(listed[which].file);
        listed[which] = place_.list(kind);
        for (auto peer = peers.begin(); peer != peers.end();) {
            const auto next = std::next(peer);
            if (peer->first == which) {
                if constexpr (std::is_same_v<Peer, Search>)
                    leave(peer);
                else
                    peers.erase(peer);
            }
            peer = next;
        }
    }
    /// Jobs that only an operator or their expiry ends.
    void ask_for_nobody() {
        if (random_.below(2) == 0)
            (void)drop_jobs(
                {place_.bridge->endpoint(), place_.operating.keys, place_.server.public_key},
                {0, "nobody", ""}, 20);
        const auto peer = place_.peer(neglecting_.keys);
        peer->hello(wire::Role::client, "for nobody", random_bits());
        for (int i = 0; i < 20; ++i) {
            const MeasurementJob job{Json{{"n", ++neglected_}}.dump(), "{}", "nobody"};
            peer->say(wire::Submit{job, 0}, request_id(job));
        }
        (void)peer->hear(0.1);
    }

    Place& place_;
    std::uint64_t jobs_, asked_ = 0, answered_ = 0, left_ = 0, next_disturbance_ = 0;
    int searches_made_ = 0, devices_made_ = 0, neglected_ = 0;
    Listed neglecting_ = place_.list("searches");
    std::array<Listed, keys_of_a_kind> searching_, measuring_;
    Company<Search> searches_;
    Company<Device> devices_;
    double disk_full_since_ = 0;  ///< 0: it is not
    int disturbances_ = 0;
    RandomStream random_{1, "week"};
};

double most(const std::vector<double>& values) {
    return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

// 10^6 jobs, as many as a week has: EDGELOOP_WEEK_JOBS=1000000.
TEST(Week, MemoryStoreAndQueueStayBoundedAndWhatIsAskedForIsAnswered) {
    const auto jobs = static_cast<std::uint64_t>(test::setting("EDGELOOP_WEEK_JOBS", 1500));
    Place place;
    const std::string log = place.folder.path("bridge.log");
    place.bridge =
        std::make_unique<test::BridgeProcess>(place.folder.path("store"), place.options(), log);
    // Before it ignores SIGXFSZ a full disk would end it.
    ASSERT_TRUE(
        test::eventually([&] { return read_file(log).find("listening on") != std::string::npos; }));
    Traffic traffic(place, jobs);
    Watch watch(place);
    const double begin = steady_seconds();
    traffic.run();
    const double took = steady_seconds() - begin;
    Watch::Seen seen = watch.end();
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_GE(traffic.answered(), jobs / 2);
    EXPECT_TRUE(seen.was_in_trouble) << "the disk was never full";
    EXPECT_LE(seen.open_jobs, static_cast<std::uint64_t>(max_queued));
    EXPECT_LE(seen.sessions, limits::sessions);
    // While the disk is full answers to what is open come to those that are stored.
    constexpr int trimmed_beyond = max_results + max_results / 1024 + 1;
    EXPECT_LE(seen.results, static_cast<std::uint64_t>(trimmed_beyond + max_queued));
    // What grows with the number of jobs would be seen in the long form.
    EXPECT_LT(place.bridge->resident_mib("VmHWM"), 128);
    EXPECT_LT(most(seen.store_mib), 256);
    EXPECT_EQ(read_file(log).find("bug in edgeloop"), std::string::npos);
    std::sort(seen.status_ms.begin(), seen.status_ms.end());
    std::fprintf(stderr,
                 "%s in %.0f s; status: median %.1f ms, longest %.1f ms of %zu; resident %.0f MiB "
                 "at most, store %.0f MiB\n",
                 traffic.summary().c_str(), took, seen.status_ms[seen.status_ms.size() / 2],
                 seen.status_ms.back(), seen.status_ms.size(), place.bridge->resident_mib("VmHWM"),
                 most(seen.store_mib));
}

}  // namespace
}  // namespace edgeloop
