#include "edgeloop/link/messages.hpp"

#include "link/payload.hpp"

#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <type_traits>

#include <fmt/format.h>

namespace edgeloop::wire {
namespace {

constexpr EnvelopeFormat format{"ELNK", protocol_version};

/// The fields of a record as part of a message.
template <class Codec>
struct FieldCodec {
    Codec& codec;

    void operator()(const char*, CandidateId&) const {}  // the packet has the request
    void operator()(const char*, double& value) const { codec.number(value); }
    void operator()(const char*, Status& status) const {
        codec.enumerator(status, Status::completed, Status::cancelled);
    }
    void operator()(const char*, Metrics& metrics) const {
        codec.metrics(metrics, max_metrics, max_name_bytes);
    }
    void operator()(const char*, std::string& text, Text kind = Text::line) const {
        if (kind == Text::document) return codec.text(text, max_document_bytes);
        codec.line(text, kind == Text::name ? max_name_bytes : max_text_bytes);
    }
};

template <class... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

constexpr auto job_fields = [](auto& codec, MeasurementJob& m) {
    codec.text(m.spec, max_document_bytes);
    codec.text(m.settings, max_text_bytes);
    codec.text(m.device_class, max_name_bytes);
};
constexpr auto result_fields = [](auto& codec, MeasurementResult& m) {
    Outcome::fields(m, FieldCodec<std::remove_reference_t<decltype(codec)>>{codec});
    codec.late_enumerator(m.failure_of, FailureOf::device, FailureOf::network);
};

constexpr auto file_fields = [](auto& codec, FileName& m) {
    codec.number(m.digest.high);
    codec.number(m.digest.low);
    codec.number(m.bytes);
};

/// The order of fields of each message: read and written by the same function. Lines are cleaned
/// where they come in. Names by which the board knows a peer, its class and a job are texts: those
/// that are not printable it refuses, because a cleaned one could be another's.
constexpr auto fields = Overloaded{
    job_fields,
    result_fields,
    [](auto& codec, Hello& m) {
        codec.enumerator(m.role, Role::client, Role::observer);
        codec.text(m.name, max_name_bytes);
        codec.number(m.nonce);
        codec.text(m.device_class, max_name_bytes);
        codec.text(m.record, max_document_bytes);
    },
    [](auto& codec, Welcome& m) {
        codec.number(m.nonce);
        codec.number(m.heartbeat_ms);
    },
    [](auto& codec, Refused& m) { codec.line(m.reason, max_text_bytes); },
    [](auto& codec, Heartbeat& m) {
        codec.number(m.running);
        codec.numbers(m.holding, max_held_jobs);
    },
    [](auto& codec, Submit& m) {
        job_fields(codec, m.job);
        codec.number(m.priority);
    },
    [](auto& codec, Result& m) { result_fields(codec, m.result); },
    [](auto& codec, LinkReport& m) {
        codec.number(m.devices);
        codec.number(m.queued);
    },
    [](auto& codec, DeviceInfo& m) {
        codec.line(m.name, max_name_bytes);
        codec.line(m.device_class, max_name_bytes);
        codec.text(m.record, max_document_bytes);
    },
    [](auto& codec, Ready& m) { codec.number(m.credit); },
    [](auto& codec, Job& m) { job_fields(codec, m.job); },
    [](auto& codec, StatusReply& m) { codec.text(m.json, max_status_bytes); },
    [](auto& codec, Drop& m) {
        codec.text(m.device_class, max_name_bytes);
        codec.text(m.owner, max_name_bytes);
    },
    [](auto& codec, Dropped& m) { codec.number(m.jobs); },
    [](auto& codec, PieceRequest& m) {
        file_fields(codec, m.file);
        codec.number(m.offset);
    },
    [](auto& codec, Piece& m) {
        file_fields(codec, m.file);
        codec.number(m.offset);
        codec.bytes(m.bytes, max_piece_bytes);
    },
    [](auto&, auto& m) { static_assert(std::is_empty_v<std::remove_reference_t<decltype(m)>>); }};

template <class T>
std::string write_payload(T value) {
    PayloadWriter writer;
    fields(writer, value);
    return writer.take();
}

template <class T>
T read_payload(std::string_view bytes, const std::string& from) {
    T value;
    PayloadReader reader(bytes, from);
    fields(reader, value);
    reader.expect_end();
    return value;
}

/// Decodes alternative number `type`; types on the wire are the positions in the variant.
template <std::size_t I = 0>
Message read_alternative(std::size_t type, std::string_view bytes, const std::string& from) {
    if constexpr (I == std::variant_size_v<Message>) {
        throw CorruptState(fmt::format("{}: unknown message type {}", from, type));
    } else {
        if (type == I) return read_payload<std::variant_alternative_t<I, Message>>(bytes, from);
        return read_alternative<I + 1>(type, bytes, from);
    }
}

}  // namespace

void check_name(const std::string& what, const std::string& text) {
    if (text.size() > max_name_bytes)
        throw ConfigError(fmt::format("{} has {} bytes", what, text.size()),
                          fmt::format("at most {} can be sent", max_name_bytes),
                          "choose a shorter one");
    if (text != printable(text))
        throw ConfigError(fmt::format("{} has characters that cannot be printed", what),
                          "it is shown in logs and tables", "use letters and digits");
}

std::string fit_name(std::string text) {
    const std::string mark = "...";
    text = printable(text);
    return text.size() <= max_name_bytes
               ? text
               : mark + std::string(ending(text, max_name_bytes - mark.size()));
}

std::string encode(const Packet& packet) {
    Envelope envelope;
    envelope.type = static_cast<std::uint16_t>(packet.message.index());
    envelope.request_id = packet.request;
    envelope.payload = std::visit([](const auto& m) { return write_payload(m); }, packet.message);
    return seal(format, envelope);
}

Packet decode(std::string_view bytes, const std::string& from) {
    if (bytes.size() > max_message_bytes)
        throw CorruptState(fmt::format("{}: a message of {} bytes", from, bytes.size()),
                           fmt::format("the limit is {}", max_message_bytes));
    const Envelope envelope = open_envelope(format, bytes, from);
    return {read_alternative(envelope.type, envelope.payload, from), envelope.request_id};
}

int claimed_version(std::string_view bytes) { return envelope_version(format, bytes); }

std::string version_refusal(int theirs) {
    return fmt::format(
        "the peer speaks version {} of the edgeloop link protocol, this side version {}; install "
        "the same edgeloop release on both",
        theirs, protocol_version);
}

std::string encode_result(const MeasurementResult& result) { return write_payload(result); }
MeasurementResult decode_result(std::string_view bytes, const std::string& from) {
    return read_payload<MeasurementResult>(bytes, from);
}
std::string encode_job(const MeasurementJob& job) { return write_payload(job); }
MeasurementJob decode_job(std::string_view bytes, const std::string& from) {
    return read_payload<MeasurementJob>(bytes, from);
}

}  // namespace edgeloop::wire
