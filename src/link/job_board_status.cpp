#include "edgeloop/link/job_board.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_named = 8;  ///< searches and jobs that are shown of one class
constexpr std::size_t max_classes_shown = 64;

}  // namespace

/// The status as it fits into a message, whatever names peers have chosen.
std::string JobBoard::status_text(double now) const {
    Json json = status(now);
    const auto text = [&] { return json.dump(-1, ' ', false, Json::error_handler_t::replace); };
    std::string whole = text();
    for (const char* part : {"last_errors", "waiting", "clients", "devices"}) {
        if (whole.size() <= wire::max_status_bytes) break;
        json[part] = Json::array();
        json["left_out"].push_back(part);
        whole = text();
    }
    return whole;
}

/// Jobs no device has, by the class they ask for.
Json JobBoard::waiting_jobs() const {
    struct Line {
        std::size_t jobs = 0;
        std::set<std::string> searches, ids;
    };
    std::map<std::string, Line> lines;
    for (const auto& [id, work] : work_) {
        if (work.holder) continue;
        Line& line = lines[work.open.job.device_class];
        ++line.jobs;
        if (line.ids.size() < max_named) line.ids.insert(fmt::format("{:016x}", id));
        for (const std::string& client : work.clients)
            if (line.searches.size() < max_named) line.searches.insert(name_in(client));
    }
    Json waiting = Json::array();
    for (const auto& [wanted, line] : lines) {
        waiting.push_back({{"class", wanted},
                           {"jobs", line.jobs},
                           {"devices", devices_for(wanted)},
                           {"searches", line.searches},
                           {"ids", line.ids}});
        if (waiting.size() == max_classes_shown) break;
    }
    return waiting;
}

Json JobBoard::status(double now) const {
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
    std::map<std::string, std::size_t> waiting;
    for (const auto& [id, work] : work_)
        for (const std::string& client : work.clients) ++waiting[client];
    Json clients = Json::array();
    for (const auto& [client, session] : clients_) {
        clients.push_back({{"name", peers_.at(session).hello.name},
                           {"waiting_for", waiting[client]},
                           {"connected_s", now - peers_.at(session).opened}});
    }
    double per_minute = 0;
    if (finished_at_.size() > 1 && now > finished_at_.front())
        per_minute = 60.0 * static_cast<double>(finished_at_.size()) / (now - finished_at_.front());
    return {{"devices", devices},
            {"clients", clients},
            {"waiting", waiting_jobs()},
            {"queued", queue_.size()},
            {"open_jobs", work_.size()},
            {"results", store_.results()},
            {"answered_since_start", answered_},
            {"refused_answers", refused_answers_},
            {"answers_per_minute", per_minute},
            {"up_s", now - started_at_},
            {"last_errors", last_errors_}};
}

}  // namespace edgeloop
