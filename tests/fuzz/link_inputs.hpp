#pragma once

#include "fuzz/board_sequences.hpp"
#include "link/allow_list.hpp"
#include "link/fit.hpp"
#include "support/sample_messages.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/safetensors.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"
#include "edgeloop/link/bridge_store.hpp"
#include "edgeloop/link/job_board.hpp"
#include "edgeloop/link/keys.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

/// Everything of the link that reads bytes from the network or the disk, as functions that take
/// hostile bytes. Anything but a decoded value or the promised exception is a bug. Shared by the
/// test and by libFuzzer.
namespace edgeloop::fuzz {

/// Takes an input apart front to back; zeros when it is used up.
class Bytes {
  public:
    explicit Bytes(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    std::uint8_t byte() { return rest_.empty() ? 0 : static_cast<std::uint8_t>(take(1)[0]); }
    std::string_view take(std::size_t count) {
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(taken.size());
        return taken;
    }
    /// A piece with its length in front, two bytes.
    std::string_view piece() {
        const std::size_t high = byte();
        return take(high << 8 | byte());
    }

  private:
    std::string_view rest_;
};

/// A folder on a file system in memory where there is one: files are part of the inner loop.
inline const std::string& scratch() {
    static const test::TemporaryFolder folder(std::filesystem::is_directory("/dev/shm")
                                                  ? "/dev/shm"
                                                  : std::filesystem::temp_directory_path());
    return folder.root();
}

inline void put_file(const std::string& path, std::string_view bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ::write(file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
        throw IoError("cannot write the fuzzer's file");
    ::close(file);
}

/// A message as it comes; then as the payload of a sound envelope, its first byte the type, so that
/// the checksum does not keep the payload decoders from being reached.
inline bool message(std::string_view bytes) {
    bool decoded = false;
    const auto attempt = [&](std::string_view text) {
        try {
            const std::string kept = wire::encode(wire::decode(text, "fuzz"));
            if (wire::encode(wire::decode(kept, "what we wrote ourselves")) != kept)
                throw LogicError("a text that came in clean was cleaned again");
            decoded = true;
        } catch (const CorruptState&) {
        }
    };
    (void)wire::claimed_version(bytes);
    attempt(bytes);
    if (bytes.empty()) return decoded;
    Envelope envelope;
    envelope.type = static_cast<unsigned char>(bytes[0]) % (std::variant_size_v<wire::Message> + 1);
    envelope.payload = bytes.substr(1);
    attempt(seal({"ELNK", wire::protocol_version}, envelope));
    return decoded;
}

inline bool result(std::string_view bytes) {
    try {
        MeasurementResult result = wire::decode_result(bytes, "fuzz");
        const MeasurementJob job{"{}", "{}", ""};
        (void)refuse_impossible(result, &job, "fuzz");
        if (refusal(result.metrics, Source::measuring, nullptr) ||
            result.reason != printable(result.reason))
            throw LogicError("kept what no device measures, or a text that is not clean");
        return true;
    } catch (const CorruptState&) {
        return false;
    }
}

inline bool job(std::string_view bytes) {
    try {
        (void)wire::decode_job(bytes, "fuzz");
        return true;
    } catch (const CorruptState&) {
        return false;
    }
}

/// The journal of an earlier release's bridge: records with sound checksums (type, id, piece) up to
/// a type of 0xff, then bytes as they are. Whatever is there, the store opens, answers and can be
/// written.
inline bool journal(std::string_view bytes) {
    static const std::string folder = [] {
        std::filesystem::create_directories(scratch() + "/store");
        return scratch() + "/store";
    }();
    constexpr EnvelopeFormat format{"EBRJ", 1};
    Bytes input(bytes);
    std::string file;
    std::vector<std::uint64_t> ids;
    while (!input.empty()) {
        const std::uint8_t type = input.byte();
        if (type == 0xff) {
            file += input.take(bytes.size());
            break;
        }
        const std::uint64_t id = input.byte();
        ids.push_back(id);
        file +=
            seal(format, {static_cast<std::uint16_t>(type % 8), id, std::string(input.piece())});
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        ::unlink(entry.path().c_str());
    put_file(folder + "/journal", file);
    BridgeStoreOptions options;
    options.folder = folder;
    options.max_results = 4;
    try {
        BridgeStore store(options);
        const std::size_t known = store.open_jobs().size() + store.results();
        for (const std::uint64_t id : ids) (void)store.result(id);
        store.add_result(1000, MeasurementResult{});
        store.commit();
        if (!store.result(1000)) throw LogicError("a result just stored is not there");
        return known > 0;
    } catch (const CorruptState&) {
        return false;  // another version's file
    }
}

/// Settings of a measurement, as a device reads them from a job.
inline bool settings(std::string_view bytes) {
    try {
        const auto read = MeasurementSettings::from_json(parse_json(bytes, "fuzz"), "fuzz");
        (void)MeasurementSettings::from_json(read.to_json(), "what we wrote ourselves");
        return true;
    } catch (const ConfigError&) {
        return false;
    }
}

/// A network's specification, as a device reads it from a job.
inline bool spec(std::string_view bytes) {
    try {
        const auto read = ArchitectureSpec::from_json(parse_json(bytes, "fuzz"), "fuzz");
        (void)ArchitectureSpec::from_json(read.to_json(), "what we wrote ourselves");
        return true;
    } catch (const ConfigError&) {
        return false;
    }
}

/// A device's record, as a search keeps it: whatever comes, what is kept is a JSON object.
inline bool record(std::string_view bytes) {
    const std::string kept = sound_record(std::string(bytes));
    if (!parse_json(kept, "what was kept").is_object()) throw LogicError("kept a bad record");
    return kept != "{}";
}

/// Key file, public key and allow-list.
inline bool keys(std::string_view bytes) {
    static const std::string file = scratch() + "/key";
    put_file(file, bytes);
    bool read = false;
    const auto attempt = [&](auto reader) {
        try {
            (void)reader(file);
            read = true;
        } catch (const ConfigError&) {
        }
    };
    attempt(read_keys);
    attempt(read_public_key);
    attempt([](const std::string& path) { return AllowList(path); });
    return read;
}

/// A file of weights or of test vectors. What is read is written and read again as it was.
inline bool safetensors(std::string_view bytes) {
    try {
        const SafeTensors read = decode_safetensors(bytes, "fuzz");
        const std::string written = encode_safetensors(read);
        const SafeTensors again = decode_safetensors(written, "what we wrote ourselves");
        require(encode_safetensors(again) == written, "equal contents give equal bytes");
        for (const auto& [name, tensor] : read.tensors)
            require(again.tensors.at(name).bytes == tensor.bytes, "values stay what they are");
        return true;
    } catch (const ConfigError&) {
        return false;
    }
}

/// What the input makes of a message: who it is, about which job, how it ended.
inline void vary(wire::Packet& packet, std::uint8_t what, const std::vector<MeasurementJob>& jobs) {
    const MeasurementJob& job = jobs[what % jobs.size()];
    packet.request = request_id(job);
    if (auto* hello = std::get_if<wire::Hello>(&packet.message)) {
        hello->role = static_cast<wire::Role>(1 + what % 3);
        hello->name = std::string(1, static_cast<char>('x' + (what >> 2) % 3));
        hello->device_class = (what & 64) != 0 ? "class" : "";
        hello->nonce = what >> 6;
    } else if (auto* submit = std::get_if<wire::Submit>(&packet.message)) {
        submit->job = job;
        submit->priority = what >> 4;
    } else if (auto* beat = std::get_if<wire::Heartbeat>(&packet.message)) {
        beat->running = (what & 4) != 0 ? packet.request : 0;
        beat->holding = {packet.request, request_id(jobs[(what >> 3) % jobs.size()])};
    } else if (auto* done = std::get_if<wire::Result>(&packet.message)) {
        done->result.status = static_cast<Status>((what >> 2) % 4);
    } else if (auto* ready = std::get_if<wire::Ready>(&packet.message)) {
        ready->credit = what >> 4;
    }
}

/// The broker's rules under messages that are well formed and make no sense: who speaks, what,
/// about which job, and how much time passes are the input's. Whatever comes, the rules hold.
inline bool board(std::string_view bytes) {
    static const std::vector<wire::Packet> samples = wire::sample_packets();
    static const std::vector<MeasurementJob> jobs = {
        {"{}", "a", ""}, {"{}", "b", "class"}, {"{}", "c", "other"}, {"{}", "d", ""}};
    CheckedStore store;
    BoardOptions options;
    options.max_sessions = 5;
    options.max_queued = 3;
    JobBoard board(options, store, 1, 0);
    double now = 0;
    std::size_t answers = 0;
    std::map<JobBoard::Session, wire::Hello> said, peers;  // as they were welcomed last
    std::set<std::uint64_t> wanted;
    for (Bytes input(bytes); !input.empty();) {
        wire::Packet packet = samples[input.byte() % samples.size()];
        const JobBoard::Session from(1, static_cast<char>('a' + input.byte() % 6));
        const std::uint8_t what = input.byte();
        vary(packet, what, jobs);
        if (std::holds_alternative<wire::Submit>(packet.message)) wanted.insert(packet.request);
        const auto* hello = std::get_if<wire::Hello>(&packet.message);
        if (hello != nullptr) said[from] = *hello;
        board.receive(from, packet, now);
        if ((what & 32) != 0) board.tick(now += what & 31);
        if (what == 255) board.disconnected(from, now);
        for (const auto& [to, sent] : board.take_outgoing()) {
            (void)wire::encode(sent);
            const std::uint64_t id = sent.request;
            if (std::holds_alternative<wire::Welcome>(sent.message)) peers[to] = said.at(to);
            if (const auto* given = std::get_if<wire::Job>(&sent.message)) {
                require(peers[to].role == wire::Role::agent, "jobs go to devices");
                require(given->job.device_class.empty() ||
                            given->job.device_class == peers[to].device_class,
                        "a device gets jobs of its class");
                require(id == request_id(given->job) && wanted.count(id) != 0,
                        "a job was asked for");
            } else if (std::holds_alternative<wire::Accepted>(sent.message)) {
                require(store.open.count(id) != 0 || store.result(id).has_value(),
                        "what is accepted is stored");
            } else if (std::holds_alternative<wire::Result>(sent.message)) {
                require(peers[to].role == wire::Role::client && wanted.count(id) != 0,
                        "answers go to clients that asked");
                ++answers;
            }
        }
        const Json status = board.status(now);
        require(status.at("open_jobs") == store.open.size(), "what is open is stored");
        require(store.open.size() <= options.max_queued && status.at("queued") <= store.open.size(),
                "the queue keeps its limit");
        require(status.at("devices").size() + status.at("clients").size() <= options.max_sessions,
                "sessions keep their limit");
    }
    return answers > 0;
}

/// Honest and hostile peers together, as board_sequences.hpp has them: the input is what the
/// hostile, and chance, choose.
inline bool sequence(std::string_view bytes) {
    Bytes input(bytes);
    const bool peaceful = (input.byte() & 1) != 0;
    const auto choose = [&input](std::uint64_t count) { return input.byte() % count; };
    return BoardSequence(choose, peaceful).run(bytes.size() / 6) > 0;
}

struct Decoder {
    const char* name;
    bool (*attempt)(std::string_view);  ///< @return whether something was decoded
};

/// How a test names it.
inline void PrintTo(const Decoder& decoder, std::ostream* out) { *out << decoder.name; }

inline constexpr Decoder decoders[] = {{"message", message},
                                       {"result", result},
                                       {"job", job},
                                       {"journal", journal},
                                       {"settings", settings},
                                       {"spec", spec},
                                       {"record", record},
                                       {"keys", keys},
                                       {"board", board},
                                       {"sequence", sequence},
                                       {"safetensors", safetensors}};

}  // namespace edgeloop::fuzz
