
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/job_board.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_named = 8;  ///< searches and jobs that are shown of one class
constexpr std::size_t max_classes_shown = 64, max_shares_shown = 32;
/// Of each text, when all together are too long for a message: then the lists fit, see below.
constexpr std::size_t shortened_bytes = 64;

void shorten(Json& value) {
    if (value.is_string())
        value = std::string(beginning(value.get<std::string>(), shortened_bytes));
    else if (value.is_structured())
        for (Json& each : value) shorten(each);
}

}  // namespace

/// The status as it fits into a message, whatever names peers have chosen. Quotes and backslashes
/// take two bytes, so of shortened texts a device takes about 400 bytes, a search 220, a class 1.7
/// KiB, a share 200, a complaint 130: with 256 sessions about 220 KiB at most of 255. With more,
/// whole lists are left out.
std::string JobBoard::status_text(double now) const {
    Json json = status(now);
    const auto text = [&] { return json.dump(-1, ' ', false, Json::error_handler_t::replace); };
    std::string whole = text();
    if (whole.size() <= wire::max_status_bytes) return whole;
    shorten(json);
    json["shortened"] = true;
    whole = text();
    for (const char* part : {"waiting", "shares", "last_errors", "clients", "devices"}) {
        if (whole.size() <= wire::max_status_bytes) break;
        json[part] = Json::array();
        json["left_out"].push_back(part);
        whole = text();
    }
    return whole;
}

/// It takes its time, so nobody may ask for it as often as he likes.
void JobBoard::report_status(const Session& to, const std::string& owner, std::uint64_t request,
                             double now) {
    if (questions_.spend(owner, 1, now))
        return send(to, wire::StatusReply{status_text(now)}, request);
    remember_error("questions", fmt::format("'{}' asks too often: not answered", owner), now);
    send(to, wire::Refused{"this peer asks too often; it is answered later"});
}

/// Jobs no device has, by the class they ask for.
Json JobBoard::waiting_jobs() const {
    Json lines = Json::array();
    for (const FairQueue::Waiting& line : queue_.longest(max_classes_shown, max_named)) {
        std::set<std::string> searches;
        for (const FairQueue::Waiter& waiter : line.waiters)
            if (const auto client = clients_.find(waiter.search); client != clients_.end())
                searches.insert(client->second.name);
        Json ids = Json::array();
        for (const std::uint64_t id : line.some) ids.push_back(fmt::format("{:016x}", id));
        lines.push_back({{"class", line.device_class},
                         {"jobs", line.jobs},
                         {"devices", devices_for(line.device_class)},
                         {"searches", searches},
                         {"ids", ids}});
    }
    return lines;
}

Json JobBoard::device_lines(double now) const {
    Json devices = Json::array();
    for (const auto& [name, session] : agents_) {
        const Peer& peer = peers_.at(session);
        const double up = std::max(now - peer.opened, 1e-9);
        devices.push_back({{"name", name},
                           {"class", peer.hello.device_class},
                           {"holding", peer.held.size()},
                           {"measuring", peer.running != 0},
                           {"measured", peer.measured},
                           {"busy_fraction", std::min(1.0, peer.busy_s / up)},
                           {"connected_s", up},
                           {"silent_s", now - peer.last_seen}});
    }
    return devices;
}

Json JobBoard::client_lines(double now) const {
    Json clients = Json::array();
    for (const auto& [number, client] : clients_) {
        const auto peer = peers_.find(client.session);
        if (peer == peers_.end()) continue;
        clients.push_back({{"name", client.name},
                           {"waiting_for", client.wants.size()},
                           {"connected_s", now - peer->second.opened}});
    }
    return clients;
}

/// Those who have most of the queue.
Json JobBoard::share_lines() const {
    std::vector<std::pair<std::uint64_t, std::string>> largest;
    for (const auto& [owner, bytes] : bytes_.parts()) largest.emplace_back(bytes, owner);
    std::sort(largest.rbegin(), largest.rend());
    if (largest.size() > max_shares_shown) largest.resize(max_shares_shown);
    Json shares = Json::array();
    for (const auto& [bytes, owner] : largest) {
        const auto jobs = jobs_.parts().find(owner);
        shares.push_back({{"of", owner},
                          {"jobs", jobs == jobs_.parts().end() ? 0 : jobs->second},
                          {"bytes", bytes}});
    }
    return shares;
}

Json JobBoard::status(double now) const {
    Json errors = Json::array();
    for (const Complaint& complaint : complaints_) errors.push_back(complaint.line);
    double per_minute = 0;
    if (finished_at_.size() > 1 && now > finished_at_.front())
        per_minute = 60.0 * static_cast<double>(finished_at_.size()) / (now - finished_at_.front());
    return {{"devices", device_lines(now)},
            {"clients", client_lines(now)},
            {"waiting", waiting_jobs()},
            {"shares", share_lines()},
            {"sessions", sessions_.used()},
            {"queued", queue_.size()},
            {"open_jobs", work_.size()},
            {"open_bytes", bytes_.used()},
            {"results", store_.results()},
            {"trouble", store_.trouble()},
            {"answered_since_start", answered_},
            {"refused_answers", refused_answers_},
            {"answers_per_minute", per_minute},
            {"up_s", now - started_at_},
            {"last_errors", errors}};
}

}  // namespace edgeloop
