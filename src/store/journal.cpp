#include "store/journal.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"

#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

constexpr int journal_version = 2;
constexpr std::string_view checksum_key = ",\"crc\":";

// --- writing: by hand, because 20 000 candidates a second pass through here

void put_text(std::string& out, const std::string& text) {
    out += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

void put_integer(std::string& out, std::uint64_t value) { out += fmt::format_int(value).c_str(); }

// The shortest text that reads back as the same double; JSON has no infinities, so those are text.
void put_number(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out += std::isnan(value) ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\"";
        return;
    }
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    const std::string_view text(digits, static_cast<std::size_t>(end - digits));
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void put_metrics(std::string& out, const char* key, const Metrics& metrics) {
    out += fmt::format(",\"{}\":{{", key);
    bool first = true;
    for (const auto& [name, value] : metrics) {
        if (!std::exchange(first, false)) out += ',';
        put_text(out, name);
        out += ':';
        put_number(out, value);
    }
    out += '}';
}

void put_reason(std::string& out, const std::string& reason) {
    if (reason.empty()) return;
    out += ",\"reason\":";
    put_text(out, reason);
}

void put(std::string& out, const Proposed& event) {
    const Candidate& candidate = event.candidate;
    out += candidate.rung == 0 ? "\"proposed\",\"id\":" : "\"promoted\",\"id\":";
    put_integer(out, candidate.id);
    out += fmt::format(",\"generation\":{},\"index\":{},\"genes\":[", candidate.generation,
                       candidate.index);
    for (std::size_t i = 0; i < candidate.genome.genes.size(); ++i) {
        if (i > 0) out += ',';
        put_number(out, candidate.genome.genes[i]);
    }
    out += "],\"seed\":";
    put_integer(out, candidate.seed);
    out += fmt::format(",\"epochs\":{},\"rung\":{},\"trained_epochs\":{},\"keep_state\":{}",
                       candidate.epochs, candidate.rung, candidate.trained_epochs,
                       candidate.keep_state);
    put_metrics(out, "known", candidate.known);
    if (!candidate.spec.empty()) out += ",\"spec\":" + candidate.spec;
}

void put(std::string& out, const TrainingStarted& event) {
    out += "\"started\",\"id\":";
    put_integer(out, event.id);
}

void put(std::string& out, const PartDone& event) {
    out += event.part == Part::training ? "\"trained\",\"id\":" : "\"measured\",\"id\":";
    put_integer(out, event.outcome.id);
    out += fmt::format(",\"status\":\"{}\"", to_string(event.outcome.status));
    put_metrics(out, "metrics", event.outcome.metrics);
    put_reason(out, event.outcome.reason);
    out += ",\"seconds\":";
    put_number(out, event.outcome.seconds);
    if (!event.outcome.device.empty()) {
        out += ",\"device\":";
        put_text(out, event.outcome.device);
    }
    if (!event.outcome.record.empty()) out += ",\"record\":" + event.outcome.record;
}

void put(std::string& out, const Told& event) {
    const CompletedCandidate& completed = event.completed;
    out += fmt::format("\"{}\",\"id\":", to_string(completed.status));
    put_integer(out, completed.candidate.id);
    out += fmt::format(",\"rung\":{}", completed.candidate.rung);
    put_metrics(out, "metrics", completed.metrics);
    put_metrics(out, "settled", completed.settled);
    put_reason(out, completed.reason);
    out += ",\"training_seconds\":";
    put_number(out, completed.training_seconds);
    out += ",\"measuring_seconds\":";
    put_number(out, completed.measuring_seconds);
}

void put(std::string& out, const Note& event) {
    out += "\"note\",\"what\":";
    put_text(out, event.what);
    out += ",\"id\":";
    put_integer(out, event.id);
    put_reason(out, event.reason);
}

// Adds the checksum of the line that begins at `start`.
void finish_line(std::string& out, std::size_t start) {
    const std::uint32_t checksum = crc32(std::string_view(out).substr(start));
    out += checksum_key;
    put_integer(out, checksum);
    out += "}\n";
}

// --- reading

double number_of(const Json& json) {
    if (!json.is_string()) return json.get<double>();
    const std::string& text = json.get_ref<const std::string&>();
    if (text == "inf") return std::numeric_limits<double>::infinity();
    if (text == "-inf") return -std::numeric_limits<double>::infinity();
    if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
    throw CorruptState(fmt::format("'{}' is no number", text));
}

Metrics metrics_of(const Json& json) {
    Metrics metrics;
    for (const auto& [name, value] : json.items()) metrics[name] = number_of(value);
    return metrics;
}

Proposed proposed_from(const Json& json) {
    Candidate candidate;
    candidate.id = json.at("id").get<CandidateId>();
    candidate.generation = json.at("generation").get<std::uint32_t>();
    candidate.index = json.at("index").get<std::uint32_t>();
    for (const Json& gene : json.at("genes")) candidate.genome.genes.push_back(number_of(gene));
    candidate.seed = json.at("seed").get<std::uint64_t>();
    candidate.epochs = json.at("epochs").get<int>();
    candidate.rung = json.at("rung").get<int>();
    candidate.trained_epochs = json.at("trained_epochs").get<int>();
    candidate.keep_state = json.at("keep_state").get<bool>();
    candidate.known = metrics_of(json.at("known"));
    if (json.contains("spec")) candidate.spec = json.at("spec").dump();
    return {std::move(candidate)};
}

PartDone part_from(const Json& json, Part part) {
    PartDone event;
    event.part = part;
    event.outcome.id = json.at("id").get<CandidateId>();
    event.outcome.status = status_from(json.at("status").get<std::string>());
    event.outcome.metrics = metrics_of(json.at("metrics"));
    event.outcome.reason = json.value("reason", "");
    event.outcome.seconds = number_of(json.at("seconds"));
    event.outcome.device = json.value("device", "");
    if (json.contains("record")) event.outcome.record = json.at("record").dump();
    return event;
}

Told told_from(const Json& json, const std::unordered_map<CandidateId, Candidate>& candidates) {
    const auto id = json.at("id").get<CandidateId>();
    const auto found = candidates.find(id);
    if (found == candidates.end())
        throw CorruptState(fmt::format("candidate {} ends before it was proposed", id));
    CompletedCandidate completed;
    completed.candidate = found->second;
    completed.status = status_from(json.at("event").get<std::string>());
    completed.metrics = metrics_of(json.at("metrics"));
    completed.settled = metrics_of(json.at("settled"));
    completed.reason = json.value("reason", "");
    completed.training_seconds = number_of(json.at("training_seconds"));
    completed.measuring_seconds = number_of(json.at("measuring_seconds"));
    return {std::move(completed)};
}

/// Reads line after line, keeping what later lines refer to.
class JournalReader {
  public:
    /// @throws CorruptState, or an exception of the JSON library: the line is bad.
    void read(std::string_view line) {
        const auto at = line.rfind(checksum_key);
        if (at == std::string_view::npos) throw CorruptState("it has no checksum");
        const Json json = Json::parse(line);
        if (json.at("crc").get<std::uint32_t>() != crc32(line.substr(0, at)))
            throw CorruptState("its checksum does not match");
        if (json.at("seq").get<std::uint64_t>() != next_)
            throw CorruptState(fmt::format("event {} was expected here", next_));
        if (next_ == 0)
            check_version(json);
        else
            events_.push_back(event_from(json));
        ++next_;
    }

    [[nodiscard]] std::vector<Event> take() { return std::move(events_); }
    [[nodiscard]] int version() const { return version_; }

  private:
    void check_version(const Json& json) {
        version_ = json.at("version").get<int>();
        if (version_ < 1 || version_ > journal_version)
            throw CorruptState(fmt::format("journal format version {}", version_),
                               fmt::format("this program reads versions 1 to {}", journal_version),
                               "use the edgeloop release that wrote it");
    }

    Event event_from(const Json& json) {
        const std::string& kind = json.at("event").get_ref<const std::string&>();
        if (kind == "started") return TrainingStarted{json.at("id").get<CandidateId>()};
        if (kind == "trained") return part_from(json, Part::training);
        if (kind == "measured") return part_from(json, Part::measuring);
        if (kind == "note")
            return Note{json.at("what").get<std::string>(), json.at("id").get<CandidateId>(),
                        json.value("reason", "")};
        if (kind != "proposed" && kind != "promoted") return told_from(json, candidates_);
        Proposed event = proposed_from(json);
        candidates_[event.candidate.id] = event.candidate;
        return event;
    }

    std::vector<Event> events_;
    std::unordered_map<CandidateId, Candidate> candidates_;
    std::uint64_t next_ = 0;
    int version_ = journal_version;
};

// Line 0: tells the version of all that follow.
std::string header_line() {
    std::string line =
        fmt::format("{{\"seq\":0,\"event\":\"journal\",\"version\":{}", journal_version);
    finish_line(line, 0);
    return line;
}

}  // namespace

JournalWriter::JournalWriter(const std::string& path, std::uint64_t next)
    : file_(path), next_(next) {
    if (next_ > 0) return;
    buffer_ = header_line();
    ++next_;
    commit();
}

void JournalWriter::add(const Event& event) {
    const std::size_t start = buffer_.size();
    buffer_ += fmt::format("{{\"seq\":{},\"time_ms\":{},\"event\":", next_, unix_milliseconds());
    std::visit([this](const auto& each) { put(buffer_, each); }, event);
    finish_line(buffer_, start);
    ++next_;
}

void JournalWriter::commit() {
    if (buffer_.empty()) return;
    file_.append(buffer_);
    buffer_.clear();
}

void JournalWriter::sync() {
    commit();
    file_.sync();
}

Journal read_journal(const std::string& path) {
    const std::string bytes = read_file(path);
    JournalReader reader;
    Journal journal;
    std::size_t start = 0, number = 1;
    while (start < bytes.size()) {
        const std::size_t end = bytes.find('\n', start);
        if (end == std::string::npos) break;
        std::string problem;
        try {
            reader.read(std::string_view(bytes).substr(start, end - start));
        } catch (const CorruptState& error) {
            problem = error.what();
        } catch (const Json::exception&) {
            problem = "it is not the JSON that was written";
        }
        if (!problem.empty() && end + 1 == bytes.size() && start > 0) break;
        if (!problem.empty())
            throw CorruptState(fmt::format("{} line {}: {}", path, number, problem),
                               "the history of the run cannot be trusted",
                               "restore the folder from a copy or start a new run");
        start = end + 1;
        ++number;
    }
    journal.good_bytes = start;
    journal.events = reader.take();
    journal.current = reader.version() == journal_version;
    return journal;
}

bool has_events(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string first;
    if (!std::getline(file, first)) return false;
    const std::string header = header_line();
    if (file.eof()) return header.rfind(first, 0) != 0;  // a torn first line is no event
    return first + '\n' != header || file.peek() != std::ifstream::traits_type::eof();
}

void upgrade_journal(const std::string& path) {
    const std::string bytes = read_file(path);
    write_file_atomic(path, header_line() + bytes.substr(bytes.find('\n') + 1));
}

}  // namespace edgeloop
