#include "link/journal_records.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/little_endian.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr std::uint16_t device_record = 5;  ///< of earlier releases; nobody read it
constexpr std::size_t length_at = 16;       ///< in an envelope's header
constexpr std::uint64_t max_payload = 1 << 20;

template <class T = std::int32_t>
T number_from(std::string_view text) {
    const auto value = number_in<T>(text);
    if (!value) throw CorruptState("a record with a malformed number");
    return *value;
}

double unix_seconds() { return 1e-3 * static_cast<double>(unix_milliseconds()); }

}  // namespace

std::string seal_record(RecordType type, std::uint64_t id, std::string payload) {
    return seal(record_format, {type, id, std::move(payload)});
}

std::string seal_job(const OpenJob& open) {
    std::string records = seal_record(
        RecordType::job, open.id,
        fmt::format("{} {}\n", open.priority, open.losses) + wire::encode_job(open.job));
    records +=
        seal_record(RecordType::origin, open.id,
                    fmt::format("{}\n{}", std::llround(unix_seconds() - open.age_s), open.owner));
    for (const std::string& device : open.given)
        records += seal_record(RecordType::given, open.id, device);
    return records;
}

std::size_t for_each_record(std::string_view bytes,
                            const std::function<void(const Envelope&)>& use) {
    std::size_t passed = 0;
    while (!bytes.empty()) {
        try {
            if (bytes.size() < envelope_header_bytes) throw CorruptState("no header");
            const auto payload = get_little_endian<std::uint64_t>(bytes, length_at);
            const std::size_t whole = envelope_header_bytes + std::min(payload, max_payload);
            use(open_envelope(record_format, bytes.substr(0, whole), "a record"));
            bytes.remove_prefix(whole);
        } catch (const CorruptState&) {
            const std::size_t next = std::min(bytes.find(record_format.magic, 1), bytes.size());
            passed += next;
            bytes.remove_prefix(next);
        }
    }
    return passed;
}

void apply(const Envelope& record, OpenJob& open) {
    const std::string_view payload = record.payload;
    if (record.type == RecordType::losses) {
        open.losses = number_from(payload);
    } else if (record.type == RecordType::given) {
        open.given.push_back(record.payload);
    } else if (record.type == RecordType::job) {
        const std::size_t line = std::min(payload.find('\n'), payload.size());
        const std::size_t blank = std::min(payload.find(' '), line);
        if (line == payload.size() || blank == line) throw CorruptState("a job without a line");
        open = {record.request_id,
                wire::decode_job(payload.substr(line + 1), "a job"),
                number_from(payload.substr(0, blank)),
                number_from(payload.substr(blank + 1, line - blank - 1)),
                {}};
    } else if (record.type == RecordType::origin) {
        const std::size_t line = std::min(payload.find('\n'), payload.size());
        if (line == payload.size()) throw CorruptState("an origin without a line");
        const auto then = number_from<std::int64_t>(payload.substr(0, line));
        open.owner = payload.substr(line + 1);
        open.age_s = std::max(0.0, unix_seconds() - static_cast<double>(then));
    } else {
        throw CorruptState("not a record of an open job");
    }
}

void apply(const Envelope& record, JobStore& store) {
    const std::uint64_t id = record.request_id;
    OpenJob open;
    switch (record.type) {
        case RecordType::job:
            apply(record, open);
            if (const auto known = store.result(id); !known || !is_lasting(*known))
                store.add_job(open);
            break;
        case RecordType::losses:
            return store.set_losses(id, number_from(record.payload));
        case RecordType::dropped:
            return store.drop_job(id);
        case RecordType::result:
            return store.add_result(id, wire::decode_result(record.payload, "a result"));
        case RecordType::given:
            return store.give_job(id, record.payload);
        case device_record:
        case RecordType::origin:  // the job that it belongs to counts as new then
            return;
        default:
            throw CorruptState("an unknown record");
    }
}

}  // namespace edgeloop
