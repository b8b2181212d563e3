#include "edgeloop/link/journal_store.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/sync.hpp"
#include "edgeloop/link/messages.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>
#include <filesystem>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr EnvelopeFormat format{"EBRJ", 1};
constexpr std::uint64_t largest_payload = 1 << 20;
constexpr std::size_t read_block = 1 << 20;

enum RecordType : std::uint16_t {
    job = 1,
    losses = 2,
    dropped = 3,
    result = 4,
    device = 5,
    given = 6
};

std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i > 0; --i)
        value = (value << 8) | static_cast<unsigned char>(bytes[i - 1]);
    return value;
}

std::string to_bytes(std::int64_t value) { return std::to_string(value); }

std::int32_t number_from(std::string_view text, const std::string& where) {
    std::int32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        throw CorruptState(fmt::format("{}: a record with a malformed number", where));
    return value;
}

/// priority, losses, then the job.
std::string job_payload(const OpenJob& open) {
    return fmt::format("{} {}\n", open.priority, open.losses) + wire::encode_job(open.job);
}

/// What else is known of an open job, as records that follow it.
std::string notes_about(std::uint64_t id, std::int32_t losses_of,
                        const std::vector<std::string>& given_to) {
    std::string notes;
    if (losses_of > 0) notes += seal(format, {RecordType::losses, id, to_bytes(losses_of)});
    for (const std::string& device : given_to)
        notes += seal(format, {RecordType::given, id, device});
    return notes;
}

OpenJob job_from(const Envelope& envelope, const std::string& where) {
    OpenJob open;
    open.id = envelope.request_id;
    const std::string_view payload = envelope.payload;
    const std::size_t line = std::min(payload.find('\n'), payload.size());
    const std::size_t blank = std::min(payload.find(' '), line);
    if (line == payload.size() || blank == line)
        throw CorruptState(fmt::format("{}: a job record without its first line", where));
    open.priority = number_from(payload.substr(0, blank), where);
    open.losses = number_from(payload.substr(blank + 1, line - blank - 1), where);
    open.job = wire::decode_job(payload.substr(line + 1), where);
    return open;
}

Descriptor open_to_read(const std::string& path) {
    Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (descriptor.get() < 0)
        throw IoError(fmt::format("cannot open '{}'", path), std::strerror(errno));
    return descriptor;
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
            const auto block =
                static_cast<std::size_t>(std::min<std::uint64_t>(read_block, size_ - loaded_));
            buffer_.resize(old + block);
            const ssize_t got =
                ::pread(descriptor_, buffer_.data() + old, block, static_cast<off_t>(loaded_));
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

/// Where a record is.
struct Extent {
    std::uint64_t offset;
    std::uint32_t bytes;
};

/// Appends bytes [from, to) of a file to another.
void copy_bytes(int source, std::uint64_t from, std::uint64_t to, AppendFile& target) {
    std::string block;
    while (from < to) {
        block.resize(static_cast<std::size_t>(std::min<std::uint64_t>(read_block, to - from)));
        const ssize_t got = ::pread(source, block.data(), block.size(), static_cast<off_t>(from));
        if (got <= 0) throw IoError("cannot read the journal", std::strerror(errno));
        target.append(std::string_view(block).substr(0, static_cast<std::size_t>(got)));
        from += static_cast<std::uint64_t>(got);
    }
}

}  // namespace

/// Copies the records that count to a second journal, in a thread of its own.
class JournalStore::Compaction {
  public:
    /// @param notes  records to add at its end.  @param end  of the journal at this moment.
    /// @throws IoError.
    Compaction(const std::string& path, std::vector<Extent> extents, std::string notes,
               std::uint64_t end)
        : path_(path + ".new"),
          source_(open_to_read(path)),
          extents_(std::move(extents)),
          notes_(std::move(notes)),
          source_end_(end) {
        thread_ = std::thread([this] { run(); });
    }
    ~Compaction() {
        cancelled_ = true;
        if (thread_.joinable()) thread_.join();
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);  // unless it has become the journal
    }
    Compaction(const Compaction&) = delete;
    Compaction& operator=(const Compaction&) = delete;

    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    /// What the journal has from here on is not copied.
    [[nodiscard]] std::uint64_t source_end() const { return source_end_; }
    /// Waits for the thread. @throws IoError  what ended it early.
    void join() {
        if (thread_.joinable()) thread_.join();
        if (failure_) std::rethrow_exception(failure_);
    }
    /// Where a record of the journal is in the new one; what was written since follows the copies.
    [[nodiscard]] std::uint64_t new_offset(std::uint64_t offset) const {
        if (offset >= source_end_) return new_end_ + (offset - source_end_);
        const auto found = std::lower_bound(
            extents_.begin(), extents_.end(), offset,
            [](const Extent& extent, std::uint64_t wanted) { return extent.offset < wanted; });
        return new_offsets_[static_cast<std::size_t>(found - extents_.begin())];
    }

  private:
    void run() noexcept {
        try {
            copy();
        } catch (const IoError&) {
            failure_ = std::current_exception();
        } catch (const std::exception& error) {
            failure_ = std::make_exception_ptr(IoError("cannot compact a journal", error.what()));
        }
        done_ = true;
    }
    void copy() {
        // In the order they were written, so that age survives.
        std::sort(extents_.begin(), extents_.end(),
                  [](const Extent& a, const Extent& b) { return a.offset < b.offset; });
        std::error_code error;
        std::filesystem::remove(path_, error);
        if (error) throw IoError(fmt::format("cannot remove '{}'", path_), error.message());
        AppendFile fresh(path_);
        new_offsets_.reserve(extents_.size());
        for (std::size_t i = 0; i < extents_.size() && !cancelled_;) {
            // Neighbours go together.
            std::size_t last = i;
            const std::uint64_t begin = extents_[i].offset;
            std::uint64_t end = begin;
            while (last < extents_.size() && extents_[last].offset == end &&
                   end - begin < read_block) {
                new_offsets_.push_back(new_end_ + (end - begin));
                end += extents_[last++].bytes;
            }
            copy_bytes(source_.get(), begin, end, fresh);
            new_end_ += end - begin;
            i = last;
        }
        fresh.append(notes_);
        new_end_ += notes_.size();
        fresh.sync();
    }

    std::string path_;
    Descriptor source_;
    std::vector<Extent> extents_;
    std::string notes_;
    std::uint64_t source_end_, new_end_ = 0;
    std::vector<std::uint64_t> new_offsets_;
    std::exception_ptr failure_;
    std::atomic<bool> cancelled_{false}, done_{false};
    std::thread thread_;
};

JournalStore::~JournalStore() = default;

JournalStore::JournalStore(const JournalOptions& options)
    : options_(options), path_(options.folder + "/journal") {
    make_directories(options_.folder);
    lock_folder();
    open_files();
    load();
}

void JournalStore::lock_folder() {
    const std::string lock_path = options_.folder + "/lock";
    lock_ = Descriptor(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock_.get() < 0)
        throw IoError(fmt::format("cannot open '{}'", lock_path), std::strerror(errno));
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
        throw ConfigError(fmt::format("'{}' is in use by another bridge", options_.folder), {},
                          "give this one a folder of its own");
}

void JournalStore::open_files() {
    file_ = std::make_unique<AppendFile>(path_);
    reader_ = open_to_read(path_);
    end_ = std::filesystem::file_size(path_);
}

void JournalStore::load() {
    const std::uint64_t size = end_;
    RecordReader reader(reader_.get(), size);
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
                keep_job(id, place, job_from(envelope, path_).losses);
                break;
            case RecordType::losses:
                if (const auto found = open_.find(id); found != open_.end())
                    found->second.losses = number_from(envelope.payload, path_);
                return true;
            case RecordType::given:
                if (const auto found = open_.find(id); found != open_.end())
                    found->second.given.push_back(envelope.payload);
                return true;
            case RecordType::dropped:
                forget_job(id);
                return true;
            case RecordType::result:
                keep_result(id, place);
                break;
            case RecordType::device: {
                const std::string name = envelope.payload.substr(0, envelope.payload.find('\n'));
                keep_device(name, place);
                break;
            }
            default:
                return false;
        }
        live_bytes_ += place.bytes;
        return true;
    } catch (const CorruptState&) {
        return false;
    }
}

void JournalStore::set_damage_aside(std::uint64_t from, std::uint64_t size) {
    const std::string aside = fmt::format("{}.damaged-{}", path_, unix_milliseconds());
    log::warning("{}: damaged {} bytes before its end; kept in '{}'", path_, size - from, aside);
    AppendFile copy(aside);
    std::string block(std::min<std::uint64_t>(read_block, size - from), '\0');
    for (std::uint64_t at = from; at < size;) {
        const ssize_t got =
            ::pread(reader_.get(), block.data(), block.size(), static_cast<off_t>(at));
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
        ::pread(reader_.get(), bytes.data(), bytes.size(), static_cast<off_t>(place.offset));
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
        found.given = open.given;
        jobs.push_back(std::move(found));
    }
    return jobs;
}

void JournalStore::add_job(const OpenJob& open) {
    const Place place = write(RecordType::job, open.id, job_payload(open));
    keep_job(open.id, place, open.losses);
    live_bytes_ += place.bytes;
}

void JournalStore::keep_job(std::uint64_t id, const Place& place, std::int32_t losses) {
    forget_job(id);
    open_[id] = {place, losses, place.order, {}};
}

void JournalStore::set_losses(std::uint64_t id, int count) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    found->second.losses = count;
    write(RecordType::losses, id, to_bytes(count));
}

void JournalStore::give_job(std::uint64_t id, const std::string& device) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    found->second.given.push_back(device);
    write(RecordType::given, id, device);
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
    keep_result(id, place);
    live_bytes_ += place.bytes;
}

void JournalStore::keep_result(std::uint64_t id, const Place& place) {
    forget_job(id);
    const auto known = results_.find(id);
    if (known != results_.end()) forget(known->second);
    results_[id] = place;
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
    keep_device(name, place);
    live_bytes_ += place.bytes;
}

void JournalStore::keep_device(const std::string& name, const Place& place) {
    const auto known = devices_.find(name);
    if (known != devices_.end()) forget(known->second);
    devices_[name] = place;
    if (devices_.size() <= options_.max_devices) return;
    const auto oldest = std::min_element(
        devices_.begin(), devices_.end(),
        [](const auto& a, const auto& b) { return a.second.order < b.second.order; });
    forget(oldest->second);
    devices_.erase(oldest);
}

void JournalStore::commit() {
    if (dirty_) file_->sync();
    if (compaction_) {
        if (compaction_->done()) end_compaction();
    } else if (dirty_) {
        consider_compaction();
    }
    dirty_ = false;
}

void JournalStore::consider_compaction() {
    const bool wasteful = end_ > options_.compact_bytes && live_bytes_ < end_ / 2;
    if (end_ < compact_after_ ||
        (!wasteful && results_.size() <= options_.max_results + options_.max_results / 8))
        return;
    try {
        start_compaction();
    } catch (const std::exception& error) {
        postpone_compaction(error.what());
    }
}

/// No room or no descriptors for a second journal: the first still holds everything.
void JournalStore::postpone_compaction(const std::string& why) {
    log::warning("{}; {} is compacted later", why, path_);
    compact_after_ = end_ + (1 << 20);
}

void JournalStore::forget_oldest() {
    if (results_.size() <= options_.max_results) return;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> by_age;
    for (const auto& [id, place] : results_) by_age.emplace_back(place.order, id);
    const auto excess = static_cast<std::ptrdiff_t>(by_age.size() - options_.max_results);
    std::nth_element(by_age.begin(), by_age.begin() + excess, by_age.end());
    for (auto old = by_age.begin(); old != by_age.begin() + excess; ++old) {
        const auto found = results_.find(old->second);
        forget(found->second);
        results_.erase(found);
    }
}

void JournalStore::start_compaction() {
    forget_oldest();
    std::vector<Extent> extents;
    for (const auto& [id, place] : results_) extents.push_back({place.offset, place.bytes});
    for (const auto& [name, place] : devices_) extents.push_back({place.offset, place.bytes});
    std::string notes;
    for (const auto& [id, open] : open_) {
        extents.push_back({open.place.offset, open.place.bytes});
        notes += notes_about(id, open.losses, open.given);
    }
    compaction_ = std::make_unique<Compaction>(path_, std::move(extents), std::move(notes), end_);
}

void JournalStore::end_compaction() {
    const std::unique_ptr<Compaction> done = std::move(compaction_);
    try {
        adopt(*done);
        compact_after_ = 0;
    } catch (const IoError& error) {
        postpone_compaction(error.what());
    }
}

void JournalStore::adopt(Compaction& done) {
    done.join();
    auto fresh = std::make_unique<AppendFile>(done.path());
    // What was written since.
    copy_bytes(reader_.get(), done.source_end(), end_, *fresh);
    fresh->sync();
    Descriptor reader = open_to_read(done.path());
    const std::uint64_t bytes = std::filesystem::file_size(done.path());
    // Whatever can fail has been done.
    if (::rename(done.path().c_str(), path_.c_str()) != 0)
        throw IoError(fmt::format("cannot replace '{}'", path_), std::strerror(errno));
    for (auto& [id, place] : results_) place.offset = done.new_offset(place.offset);
    for (auto& [name, place] : devices_) place.offset = done.new_offset(place.offset);
    for (auto& [id, open] : open_) open.place.offset = done.new_offset(open.place.offset);
    file_ = std::move(fresh);
    reader_ = std::move(reader);
    end_ = bytes;
    sync_folder_of(path_);
    log::info("{}: compacted to {} bytes", path_, end_);
}

}  // namespace edgeloop
