#include "edgeloop/link/journal_store.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr EnvelopeFormat format{"EBRJ", 1};
constexpr std::uint64_t largest_payload = 1 << 20;
constexpr std::size_t read_block = 1 << 20;

enum RecordType : std::uint16_t { job = 1, losses = 2, dropped = 3, result = 4, device = 5 };

std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i > 0; --i)
        value = (value << 8) | static_cast<unsigned char>(bytes[i - 1]);
    return value;
}

std::string to_bytes(std::int64_t value) { return std::to_string(value); }

/// priority, losses, then the job.
std::string job_payload(const OpenJob& open) {
    return fmt::format("{} {}\n", open.priority, open.losses) + wire::encode_job(open.job);
}

OpenJob job_from(const Envelope& envelope, const std::string& where) {
    OpenJob open;
    open.id = envelope.request_id;
    const auto line = envelope.payload.find('\n');
    if (line == std::string::npos ||
        std::sscanf(envelope.payload.c_str(), "%d %d", &open.priority, &open.losses) != 2)
        throw CorruptState(fmt::format("{}: a job record without its first line", where));
    open.job = wire::decode_job(std::string_view(envelope.payload).substr(line + 1), where);
    return open;
}

/// Reads a file front to back in blocks and hands out one whole record at a time.
class RecordReader {
  public:
    RecordReader(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}

    /// The next record's bytes; empty at the end or where no whole record follows.
    std::string next() {
        if (!have(envelope_header_bytes)) return {};
        const std::uint64_t payload = little_endian(std::string_view(buffer_).substr(at_ + 16, 8));
        if (payload > largest_payload) return {};
        const std::size_t bytes = envelope_header_bytes + static_cast<std::size_t>(payload);
        if (!have(bytes)) return {};
        std::string record = buffer_.substr(at_, bytes);
        at_ += bytes;
        offset_ += bytes;
        return record;
    }
    [[nodiscard]] std::uint64_t offset() const { return offset_; }

  private:
    bool have(std::size_t bytes) {
        while (buffer_.size() - at_ < bytes && loaded_ < size_) {
            buffer_.erase(0, at_);
            at_ = 0;
            const std::size_t old = buffer_.size();
            buffer_.resize(old + read_block);
            const ssize_t got =
                ::pread(descriptor_, buffer_.data() + old, read_block, static_cast<off_t>(loaded_));
            if (got < 0) throw IoError("cannot read the journal", std::strerror(errno));
            buffer_.resize(old + static_cast<std::size_t>(got));
            loaded_ += static_cast<std::uint64_t>(got);
            if (got == 0) break;
        }
        return buffer_.size() - at_ >= bytes;
    }

    int descriptor_;
    std::uint64_t size_, loaded_ = 0, offset_ = 0;
    std::string buffer_;
    std::size_t at_ = 0;
};

}  // namespace

JournalStore::JournalStore(const JournalOptions& options)
    : options_(options), path_(options.folder + "/journal") {
    make_directories(options_.folder);
    lock_folder();
    open_files();
    load();
}

JournalStore::~JournalStore() {
    if (reader_ >= 0) ::close(reader_);
    if (lock_ >= 0) ::close(lock_);
}

void JournalStore::lock_folder() {
    const std::string lock_path = options_.folder + "/lock";
    lock_ = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0) throw IoError(fmt::format("cannot open '{}'", lock_path), std::strerror(errno));
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0)
        throw ConfigError(fmt::format("'{}' is in use by another bridge", options_.folder), {},
                          "give this one a folder of its own");
}

void JournalStore::open_files() {
    file_ = std::make_unique<AppendFile>(path_);
    if (reader_ >= 0) ::close(reader_);
    reader_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (reader_ < 0) throw IoError(fmt::format("cannot open '{}'", path_), std::strerror(errno));
    end_ = std::filesystem::file_size(path_);
}

void JournalStore::load() {
    const std::uint64_t size = end_;
    RecordReader reader(reader_, size);
    std::uint64_t good = 0;
    for (std::string bytes = reader.next(); !bytes.empty(); bytes = reader.next()) {
        if (!load_record(bytes, good)) break;
        good = reader.offset();
    }
    if (good != size) set_damage_aside(good, size);
    log::info("{}: {} jobs open, {} results", options_.folder, open_.size(), results_.size());
}

bool JournalStore::load_record(const std::string& bytes, std::uint64_t offset) {
    const int version = envelope_version(format, bytes);
    if (version >= 0 && version != format.version && offset == 0)
        (void)open_envelope(format, bytes, path_);  // another release's file: throws, names both
    try {
        const Envelope envelope = open_envelope(format, bytes, path_);
        const std::uint64_t id = envelope.request_id;
        const Place place{offset, static_cast<std::uint32_t>(bytes.size()), next_order_++};
        switch (envelope.type) {
            case RecordType::job:
                open_[id] = {place, job_from(envelope, path_).losses, place.order};
                break;
            case RecordType::losses:
                if (const auto found = open_.find(id); found != open_.end())
                    found->second.losses = static_cast<std::int32_t>(std::stol(envelope.payload));
                return true;
            case RecordType::dropped:
                forget_job(id);
                return true;
            case RecordType::result:
                forget_job(id);
                results_[id] = place;
                break;
            case RecordType::device: {
                const std::string name = envelope.payload.substr(0, envelope.payload.find('\n'));
                const auto known = devices_.find(name);
                if (known != devices_.end()) forget(known->second);
                devices_[name] = place;
                break;
            }
            default:
                return false;
        }
        live_bytes_ += place.bytes;
        return true;
    } catch (const CorruptState&) {
        return false;
    } catch (const std::logic_error&) {  // stol
        return false;
    }
}

void JournalStore::set_damage_aside(std::uint64_t from, std::uint64_t size) {
    const std::string aside = fmt::format("{}.damaged-{}", path_, unix_milliseconds());
    log::warning("{}: damaged {} bytes before its end; kept in '{}'", path_, size - from, aside);
    AppendFile copy(aside);
    std::string block(read_block, '\0');
    for (std::uint64_t at = from; at < size;) {
        const ssize_t got = ::pread(reader_, block.data(), block.size(), static_cast<off_t>(at));
        if (got <= 0) throw IoError(fmt::format("cannot read '{}'", path_), std::strerror(errno));
        copy.append(std::string_view(block).substr(0, static_cast<std::size_t>(got)));
        at += static_cast<std::uint64_t>(got);
    }
    copy.sync();
    if (::truncate(path_.c_str(), static_cast<off_t>(from)) != 0)
        throw IoError(fmt::format("cannot shorten '{}'", path_), std::strerror(errno));
    end_ = from;
}

JournalStore::Place JournalStore::write(std::uint16_t type, std::uint64_t id,
                                        const std::string& payload) {
    const std::string bytes = seal(format, {type, id, payload});
    const Place place{end_, static_cast<std::uint32_t>(bytes.size()), next_order_++};
    file_->append(bytes);
    end_ += bytes.size();
    dirty_ = true;
    return place;
}

std::string JournalStore::read(const Place& place) const {
    std::string bytes(place.bytes, '\0');
    const ssize_t got =
        ::pread(reader_, bytes.data(), bytes.size(), static_cast<off_t>(place.offset));
    if (got != static_cast<ssize_t>(bytes.size()))
        throw IoError(fmt::format("cannot read '{}'", path_), std::strerror(errno));
    return bytes;
}

std::vector<OpenJob> JournalStore::open_jobs() {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ordered;
    for (const auto& [id, open] : open_) ordered.emplace_back(open.order, id);
    std::sort(ordered.begin(), ordered.end());
    std::vector<OpenJob> jobs;
    for (const auto& [order, id] : ordered) {
        const Open& open = open_.at(id);
        OpenJob found = job_from(open_envelope(format, read(open.place), path_), path_);
        found.losses = open.losses;
        jobs.push_back(std::move(found));
    }
    return jobs;
}

void JournalStore::add_job(const OpenJob& open) {
    const Place place = write(RecordType::job, open.id, job_payload(open));
    open_[open.id] = {place, open.losses, place.order};
    live_bytes_ += place.bytes;
}

void JournalStore::set_losses(std::uint64_t id, int count) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    found->second.losses = count;
    write(RecordType::losses, id, to_bytes(count));
}

void JournalStore::forget_job(std::uint64_t id) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    forget(found->second.place);
    open_.erase(found);
}

void JournalStore::drop_job(std::uint64_t id) {
    write(RecordType::dropped, id, {});
    forget_job(id);
}

void JournalStore::add_result(std::uint64_t id, const MeasurementResult& measured) {
    const Place place = write(RecordType::result, id, wire::encode_result(measured));
    forget_job(id);
    results_[id] = place;
    live_bytes_ += place.bytes;
}

bool JournalStore::has_result(std::uint64_t id) const { return results_.count(id) != 0; }

std::optional<MeasurementResult> JournalStore::result(std::uint64_t id) {
    const auto found = results_.find(id);
    if (found == results_.end()) return std::nullopt;
    try {
        return wire::decode_result(open_envelope(format, read(found->second), path_).payload,
                                   path_);
    } catch (const CorruptState& error) {
        // The disk changed under us: the answer is gone, so it will be measured again.
        log::error("{}", error.what());
        forget(found->second);
        results_.erase(found);
        return std::nullopt;
    }
}

void JournalStore::set_device(const std::string& name, const std::string& record) {
    const Place place = write(RecordType::device, 0, name + "\n" + record);
    const auto known = devices_.find(name);
    if (known != devices_.end()) forget(known->second);
    devices_[name] = place;
    live_bytes_ += place.bytes;
}

void JournalStore::commit() {
    if (!dirty_) return;
    file_->sync();
    dirty_ = false;
    const bool wasteful = end_ > options_.compact_bytes && live_bytes_ < end_ / 2;
    if (wasteful || results_.size() > options_.max_results + options_.max_results / 8) compact();
}

void JournalStore::compact() {
    if (results_.size() > options_.max_results) {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> by_age;
        for (const auto& [id, place] : results_) by_age.emplace_back(place.order, id);
        const auto excess = static_cast<std::ptrdiff_t>(by_age.size() - options_.max_results);
        std::nth_element(by_age.begin(), by_age.begin() + excess, by_age.end());
        for (auto old = by_age.begin(); old != by_age.begin() + excess; ++old)
            results_.erase(old->second);
    }
    // In the order they were written, so that age survives.
    std::vector<Place*> places;
    for (auto& [id, place] : results_) places.push_back(&place);
    for (auto& [name, place] : devices_) places.push_back(&place);
    for (auto& [id, open] : open_) places.push_back(&open.place);
    std::sort(places.begin(), places.end(),
              [](const Place* a, const Place* b) { return a->offset < b->offset; });

    const std::string fresh_path = path_ + ".new";
    std::filesystem::remove(fresh_path);
    std::vector<std::uint64_t> offsets;
    {
        AppendFile fresh(fresh_path);
        std::uint64_t at = 0;
        std::string block;
        for (const Place* place : places) {
            offsets.push_back(at);
            block += read(*place);
            at += place->bytes;
            if (block.size() < read_block) continue;
            fresh.append(block);
            block.clear();
        }
        for (const auto& [id, open] : open_)
            if (open.losses > 0)
                block += seal(format, {RecordType::losses, id, to_bytes(open.losses)});
        fresh.append(block);
        fresh.sync();
        live_bytes_ = at;
    }
    std::filesystem::rename(fresh_path, path_);
    for (std::size_t i = 0; i < places.size(); ++i) places[i]->offset = offsets[i];
    open_files();
    log::info("{}: compacted to {} bytes", path_, end_);
}

}  // namespace edgeloop
