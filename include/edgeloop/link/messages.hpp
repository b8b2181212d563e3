#pragma once

#include "edgeloop/link/measurement.hpp"
#include "edgeloop/link/model_job.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Messages between clients (searches), agents (devices) and the broker. src/link/README.md
/// describes the conversation.
namespace edgeloop::wire {

/// Version of the protocol; a peer that speaks another one is refused by name.
constexpr std::uint16_t protocol_version = 3;

/// Upper bounds. A message that exceeds one is rejected before anything of that size is allocated.
constexpr std::size_t max_message_bytes = 256 * 1024;
constexpr std::size_t max_name_bytes = 256;
constexpr std::size_t max_text_bytes = 4 * 1024;
constexpr std::size_t max_document_bytes = 64 * 1024;  ///< a spec, a device record
constexpr std::size_t max_status_bytes = max_message_bytes - 1024;
constexpr std::size_t max_metrics = 512;
constexpr std::size_t max_held_jobs = 64;
constexpr std::size_t max_piece_bytes = 128 * 1024;  ///< of a file

enum class Role : std::uint8_t { client = 1, agent = 2, observer = 3 };

/// First message of a session, from the side that dialled.
struct Hello {
    Role role = Role::client;
    std::string name;          ///< stable over restarts: the search's or the device's name
    std::uint64_t nonce = 0;   ///< new for every process: tells a reconnect from a restart
    std::string device_class;  ///< agents
    std::string record;        ///< agents: device record, JSON
};
/// The session is open.
struct Welcome {
    std::uint64_t nonce = 0;  ///< of the broker process
    std::uint32_t heartbeat_ms = 0;
};
/// The session or the message is not accepted; the text is for people.
struct Refused {
    std::string reason;
};
/// "Still here". Agents add what they hold, so that lost jobs are noticed.
struct Heartbeat {
    std::uint64_t running = 0;           ///< request being measured, or 0
    std::vector<std::uint64_t> holding;  ///< requests received and not yet answered
};
/// The broker does not know this session (it restarted, or the connection was replaced): say Hello
/// again.
struct UnknownSession {};
/// An orderly end of a session.
struct Shutdown {};

/// Client: please measure. Repeating it is harmless.
struct Submit {
    MeasurementJob job;
    std::int32_t priority = 0;  ///< larger first, among this client's own
};
/// Broker: the job is stored.
struct Accepted {};
/// Broker: no room now, ask again later.
struct Busy {};
/// Client: the answer is no longer wanted.
struct Cancel {};
/// Agent to broker, and broker to client.
struct Result {
    MeasurementResult result;
};
/// The result is stored (broker) or received (client) and need not be sent again.
struct ResultAck {};
/// Broker to clients: how things are.
struct LinkReport {
    std::uint32_t devices = 0;
    std::uint32_t queued = 0;
};
/// Broker to clients: a device this client may hear from.
struct DeviceInfo {
    std::string name, device_class, record;
};

/// Agent: I will hold up to this many jobs at once (one is measured, the others wait).
struct Ready {
    std::uint32_t credit = 0;
};
/// Broker to agent.
struct Job {
    MeasurementJob job;
};
/// Agent: measuring of this request begins.
struct Started {};

/// Observer: describe yourself.
struct StatusRequest {};
struct StatusReply {
    std::string json;
};

/// Client: forget waiting jobs; each part that is given must fit. Packet::request: one job, or 0.
struct Drop {
    std::string device_class;  ///< asked for by the job; empty: whatever
    std::string owner;         ///< name of a search that waits for it; empty: whoever
};
/// Broker: so many were dropped.
struct Dropped {
    std::uint32_t jobs = 0;
};

/// Broker to client, and agent to broker: the next piece of a file of this job, please. Whoever
/// gets a file asks for each piece, so that none comes faster than it is taken.
struct PieceRequest {
    FileName file;
    std::uint64_t offset = 0;
};
/// A piece of a file; empty: the sender does not have it.
struct Piece {
    FileName file;
    std::uint64_t offset = 0;
    std::string bytes;
};

using Message =
    std::variant<Hello, Welcome, Refused, Heartbeat, UnknownSession, Shutdown, Submit, Accepted,
                 Busy, Cancel, Result, ResultAck, LinkReport, DeviceInfo, Ready, Job, Started,
                 StatusRequest, StatusReply, Drop, Dropped, PieceRequest, Piece>;

/// A message and the request it belongs to (0: none).
struct Packet {
    Message message;
    std::uint64_t request = 0;
};

/// Refuses a text that cannot travel as a name or class: too long, or not printable().
/// @param what  named in the error, e.g. "--class". @throws ConfigError.
void check_name(const std::string& what, const std::string& text);
/// A label that can travel, as near to `text` as possible: its end is kept when it is too long.
[[nodiscard]] std::string fit_name(std::string text);

/// Envelope (magic "ELNK", version, type, request, length, CRC-32) around the fields.
/// @throws LogicError  when a field exceeds its bound.
[[nodiscard]] std::string encode(const Packet& packet);

/// Strict: every length is checked against its bound and the bytes at hand before anything is
/// allocated; left-over bytes, unknown enumerators, non-finite numbers and text that is not UTF-8
/// are refused. Lines for people (reasons, names of devices) are printable() from here on.
///
/// @param from  named in errors.
/// @throws CorruptState.
[[nodiscard]] Packet decode(std::string_view bytes, const std::string& from);

/// Version a message claims, or -1 when it is not one of ours.
[[nodiscard]] int claimed_version(std::string_view bytes);

/// The text of a refusal over the protocol version; names both versions.
[[nodiscard]] std::string version_refusal(int theirs);

/// Result as payload bytes and back, for stores. Same checks as decode().
[[nodiscard]] std::string encode_result(const MeasurementResult& result);
[[nodiscard]] MeasurementResult decode_result(std::string_view bytes, const std::string& from);
[[nodiscard]] std::string encode_job(const MeasurementJob& job);
[[nodiscard]] MeasurementJob decode_job(std::string_view bytes, const std::string& from);

}  // namespace edgeloop::wire
