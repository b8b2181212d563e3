#include "store/journal.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/regular_file.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <set>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

constexpr int journal_version = 2;
constexpr std::string_view checksum_key = ",\"crc\":";

/// Writes the fields of a record into a line. By hand, because 20 000 candidates a second pass
/// through here.
class FieldWriter {
  public:
    FieldWriter(std::string& out, std::string_view event) : out_(out), event_(event) {}

    template <class Value>
    void operator()(const char* name, const Value& value) {
        out_ += fmt::format(",\"{}\":", name);
        put(value);
    }
    void operator()(const char* name, const std::string& text, Text kind = Text::line) {
        if (text.empty()) return;
        out_ += fmt::format(",\"{}\":", name);
        kind == Text::document ? void(out_ += text) : put(text);
    }
    void operator()(const char* name, const DesignPtr& design) {
        if (design) (*this)(name, design->text(), Text::document);
    }
    /// Lists that are mostly empty are left out then.
    template <class Number, class = std::enable_if_t<std::is_integral_v<Number>>>
    void operator()(const char* name, const std::vector<Number>& numbers) {
        if (!numbers.empty()) out_ += fmt::format(",\"{}\":[{}]", name, fmt::join(numbers, ","));
    }
    void operator()(const char* name, const std::vector<EpochRecord>& curve) {
        if (curve.empty()) return;
        out_ += fmt::format(",\"{}\":", name);
        put_columns(curve);
    }
    /// How a candidate ended is the name of its event.
    void operator()(const char* name, Status status) {
        if (event_ != to_string(status)) (*this)(name, std::string(to_string(status)));
    }
    /// One that was written before.
    void operator()(const char*, const Candidate& candidate) {
        (*this)("id", candidate.id);
        (*this)("rung", candidate.rung);
    }

  private:
    template <class Value>
    void put(const Value& value) {
        out_ += fmt::format("{}", value);
    }
    void put(const std::string& text) {
        out_ += Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    // JSON has no infinities, so those are text.
    void put(double value) {
        const std::string text = shortest(value);
        out_ += !std::isfinite(value)                           ? '"' + text + '"'
                : text.find_first_of(".e") == std::string::npos ? text + ".0"
                                                                : text;
    }
    void put(const std::vector<double>& values) {
        out_ += '[';
        for (const double value : values) put(value), out_ += ',';
        close(']');
    }
    void put(const Metrics& metrics) {
        out_ += '{';
        for (const auto& [name, value] : metrics) put(name), out_ += ':', put(value), out_ += ',';
        close('}');
    }
    /// By columns: names would be most of it otherwise.
    void put_columns(const std::vector<EpochRecord>& curve) {
        std::set<std::string> names;
        for (const EpochRecord& record : curve)
            for (const auto& metric : record.metrics) names.insert(metric.first);
        const auto column = [&](const std::string& name, const auto& value_of) {
            out_ += out_.back() == '{' ? "" : ",";
            put(name), out_ += ":[";
            for (const EpochRecord& record : curve) value_of(record), out_ += ',';
            close(']');
        };
        out_ += '{';
        column("epoch", [&](const EpochRecord& record) { put(record.epoch); });
        column("learning_rate", [&](const EpochRecord& record) { put(record.learning_rate); });
        for (const std::string& name : names)
            column(name, [&](const EpochRecord& record) {
                const auto found = record.metrics.find(name);
                found == record.metrics.end() ? void(out_ += "null") : put(found->second);
            });
        if (std::any_of(curve.begin(), curve.end(),
                        [](const EpochRecord& record) { return record.averaged_rmse > 0; }))
            column("averaged_rmse", [&](const EpochRecord& record) { put(record.averaged_rmse); });
        out_ += '}';
    }
    void close(char bracket) {
        if (out_.back() == ',') out_.pop_back();
        out_ += bracket;
    }

    std::string& out_;
    std::string_view event_;
};

template <class Record>
void put(std::string& out, const char* event, const Record& record) {
    out += fmt::format("\"{}\"", event);
    Record::fields(record, FieldWriter(out, event));
}
void put(std::string& out, const Proposed& event) {
    put(out, event.candidate.rung == 0 ? "proposed" : "promoted", event.candidate);
}
void put(std::string& out, const TrainingStarted& event) { put(out, "started", event); }
void put(std::string& out, const PartDone& event) {
    const char* const kind = event.part.kind == Part::training ? "trained" : "measured";
    put<PartDone>(out, kind, event);
    if (event.part.kind == Part::training)
        Outcome::training_fields(event.outcome, FieldWriter(out, kind));
}
void put(std::string& out, const Told& event) {
    put(out, to_string(event.completed.status), event.completed);
}
void put(std::string& out, const Scouted& event) { put(out, "scouted", event); }
void put(std::string& out, const Note& event) { put(out, "note", event); }

// Adds the checksum of the line that begins at `start`.
void finish_line(std::string& out, std::size_t start) {
    const std::uint32_t checksum = crc32(std::string_view(out).substr(start));
    out += fmt::format("{}{}}}\n", checksum_key, checksum);
}

// --- reading

double number_of(const Json& json) {
    if (!json.is_string()) return json.get<double>();
    using Limits = std::numeric_limits<double>;
    for (const double value : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()})
        if (json == shortest(value)) return value;
    throw CorruptState(fmt::format("{} is no number", json.dump()));
}

using Candidates = std::unordered_map<CandidateId, Candidate>;

/// Reads the fields of a record from the line that FieldWriter gave.
class FieldReader {
  public:
    FieldReader(const Json& json, const Candidates& before, bool designs)
        : json_(json), before_(before), designs_(designs) {}

    template <class Value>
    void operator()(const char* name, Value& value) const {
        json_.at(name).get_to(value);
    }
    void operator()(const char* name, double& value) const { value = number_of(json_.at(name)); }
    void operator()(const char* name, std::string& text, Text kind = Text::line) const {
        const auto found = json_.find(name);
        if (found == json_.end()) return;
        text = kind == Text::document ? found->dump() : found->get<std::string>();
    }
    template <class Number, class = std::enable_if_t<std::is_integral_v<Number>>>
    void operator()(const char* name, std::vector<Number>& numbers) const {
        const auto found = json_.find(name);
        if (found != json_.end()) found->get_to(numbers);
    }
    void operator()(const char* name, Status& status) const {
        const auto found = json_.find(name);
        status = status_from(found == json_.end() ? json_.at("event") : *found);
    }
    void operator()(const char* name, std::vector<double>& values) const {
        for (const Json& value : json_.at(name)) values.push_back(number_of(value));
    }
    void operator()(const char* name, Metrics& metrics) const {
        const auto found = json_.find(name);
        if (found == json_.end()) return;  // one that earlier versions did not have
        for (const auto& [metric, value] : found->items()) metrics[metric] = number_of(value);
    }
    /// One that this version cannot build is of no use to it: the engine proposes it again, or not.
    void operator()(const char* name, DesignPtr& design) const {
        const auto found = json_.find(name);
        if (found == json_.end() || !designs_) return;
        try {
            design = Design::of(ArchitectureSpec::from_json(*found, "journal"));
        } catch (const ConfigError&) {
        }
    }
    void operator()(const char*, Candidate& candidate) const {
        const auto id = json_.at("id").get<CandidateId>();
        const auto found = before_.find(id);
        if (found == before_.end())
            throw CorruptState(fmt::format("candidate {} ends before it was proposed", id));
        candidate = found->second;
    }

  private:
    const Json& json_;
    const Candidates& before_;
    bool designs_;
};

/// Reads line after line, keeping what later lines refer to.
class JournalReader {
  public:
    JournalReader(Journal& journal, bool designs) : journal_(journal), designs_(designs) {}

    /// @throws CorruptState, or an exception of the JSON library: the line is bad.
    void read(std::string_view line) {
        const auto at = line.rfind(checksum_key);
        if (at == std::string_view::npos) throw CorruptState("it has no checksum");
        const Json json = parse_kept_json(line);
        if (json.at("crc").get<std::uint32_t>() != crc32(line.substr(0, at)))
            throw CorruptState("its checksum does not match");
        if (json.at("seq").get<std::uint64_t>() != next_)
            throw CorruptState(fmt::format("event {} was expected here", next_));
        if (next_ == 0)
            check_version(json);
        else
            journal_.events.push_back(event_from(json));
        ++next_;
    }

  private:
    void check_version(const Json& json) {
        const int version = json.at("version").get<int>();
        journal_.current = version == journal_version;
        if (version < 1 || version > journal_version)
            throw CorruptState(fmt::format("journal format version {}", version),
                               fmt::format("this program reads versions 1 to {}", journal_version),
                               "use the edgeloop release that wrote it");
    }

    template <class Record>
    [[nodiscard]] Record record_from(const Json& json) const {
        Record record;
        Record::fields(record, FieldReader(json, candidates_, designs_));
        return record;
    }

    Event event_from(const Json& json) {
        const std::string& kind = json.at("event").get_ref<const std::string&>();
        if (kind == "started") return record_from<TrainingStarted>(json);
        // Nothing that goes on needs who trained it and by what curve: see report/history.cpp.
        if (kind == "trained" || kind == "measured") {
            auto done = record_from<PartDone>(json);
            done.part.kind = kind == "trained" ? Part::training : Part::measuring;
            return done;
        }
        if (kind == "scouted") return record_from<Scouted>(json);
        if (kind == "note") return record_from<Note>(json);
        if (kind != "proposed" && kind != "promoted")
            return Told{record_from<CompletedCandidate>(json)};
        Proposed event{record_from<Candidate>(json)};
        candidates_[event.candidate.id] = event.candidate;
        return event;
    }

    Journal& journal_;
    Candidates candidates_;
    std::uint64_t next_ = 0;
    bool designs_;
};

// Line 0: tells the version of all that follow.
std::string header_line() {
    std::string line =
        fmt::format("{{\"seq\":0,\"event\":\"journal\",\"version\":{}", journal_version);
    finish_line(line, 0);
    return line;
}

}  // namespace

JournalWriter::JournalWriter(const std::string& path, std::uint64_t next, Access access)
    : file_(path, access), next_(next) {
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

Journal read_journal(const std::string& path, bool designs) {
    const std::string bytes = read_file(path);
    Journal journal;
    JournalReader reader(journal, designs);
    std::size_t start = 0;
    for (std::size_t number = 1; start < bytes.size(); ++number) {
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
    }
    journal.good_bytes = start;
    return journal;
}

bool has_events(const std::string& path) {
    const std::string header = header_line();
    if (!std::filesystem::exists(path)) return false;
    const Descriptor file = open_regular_file(path);
    std::string begin;
    if (!read_all(file.get(), begin, header.size()))
        throw IoError(fmt::format("cannot read '{}'", path), std::strerror(errno));
    begin.resize(std::min(begin.size(), header.size() + 1));
    return header.compare(0, begin.size(), begin) != 0;  // a torn first line is no event
}

void upgrade_journal(const std::string& path, Access access) {
    const std::string bytes = read_file(path);
    write_file_atomic(path, header_line() + bytes.substr(bytes.find('\n') + 1),
                      Durability::power_cut, access);
}

}  // namespace edgeloop
