#include "edgeloop/store/tensorboard.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/little_endian.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/protobuf.hpp"

#include <array>
#include <functional>
#include <set>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr std::size_t max_trainings = 1000;  // TensorBoard takes seconds for each hundred folders

// Numbers of the fields of event.proto and summary.proto.
constexpr int event_wall_time = 1, event_step = 2, event_file_version = 3, event_summary = 5;
constexpr int summary_value = 1, value_tag = 1, value_simple = 2;

/// CRC-32C (Castagnoli). Source of the polynomial and of the test vectors: RFC 3720, 12.1 and B.4.
std::uint32_t crc32c(std::string_view bytes) {
    static const std::array<std::uint32_t, 256> table = [] {
        constexpr std::uint32_t reversed_polynomial = 0x82f63b78;
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i < made.size(); ++i) {
            made[i] = i;
            for (int bit = 0; bit < 8; ++bit)
                made[i] = made[i] >> 1U ^ ((made[i] & 1U) != 0 ? reversed_polynomial : 0);
        }
        return made;
    }();
    std::uint32_t crc = ~0U;
    for (const char byte : bytes)
        crc = crc >> 8U ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xffU];
    return ~crc;
}

/// TFRecord hides checksums of what may hold checksums itself.
std::uint32_t masked_crc(std::string_view bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return (crc >> 15U | crc << 17U) + 0xa282ead8U;
}

void put_record(std::string& out, const std::string& bytes) {
    std::string length;
    put_little_endian(length, static_cast<std::uint64_t>(bytes.size()));
    out += length;
    put_little_endian(out, masked_crc(length));
    out += bytes;
    put_little_endian(out, masked_crc(bytes));
}

void put_event(std::string& out, const ScalarEvent& event) {
    ProtobufMessage values;
    for (const auto& [name, number] : event.values)
        values.message(summary_value, ProtobufMessage()
                                          .text(value_tag, name)
                                          .number(value_simple, static_cast<float>(number)));
    put_record(out, ProtobufMessage()
                        .number(event_wall_time, event.wall_seconds)
                        .integer(event_step, event.step)
                        .message(event_summary, values)
                        .bytes());
}

double now_seconds() { return 1e-3 * static_cast<double>(unix_milliseconds()); }

}  // namespace

std::string event_file(double wall_seconds, const std::vector<ScalarEvent>& events) {
    std::string bytes;
    put_record(bytes, ProtobufMessage()
                          .number(event_wall_time, wall_seconds)
                          .text(event_file_version, "brain.Event:2")
                          .bytes());
    for (const ScalarEvent& event : events) put_event(bytes, event);
    return bytes;
}

class TensorBoardStore::Files {
  public:
    Files(std::string folder, Access access) : folder_(std::move(folder)), access_(access) {}

    void add_curve(const Outcome& training) {
        if (training.curve.empty() || !admitted(training.id)) return;
        std::vector<ScalarEvent> events;
        for (const EpochRecord& record : training.curve) {
            events.push_back({now_seconds(), record.epoch, record.metrics});
            events.back().values["learning_rate"] = record.learning_rate;
            if (record.averaged_rmse > 0)
                events.back().values["averaged_rmse"] = record.averaged_rmse;
        }
        const std::uint32_t repeat = repeat_of(training.id);
        const std::string name =
            fmt::format("{}{}", design_of(training.id),
                        repeat > 0 ? fmt::format("-repeat-{}", repeat) : std::string());
        guarded([&] {
            make_inner_folder(folder_, access_);
            make_inner_folder(folder_ + "/designs", access_);
            make_inner_folder(folder_ + "/designs/" + name, access_);
            write_file_atomic(folder_ + "/designs/" + name + '/' + file_name(),
                              event_file(now_seconds(), events), Durability::process_crash,
                              access_);
        });
    }

    void add_progress(const Progress& progress) {
        if (progress.done == done_) return;
        done_ = progress.done;
        ScalarEvent event{now_seconds(), static_cast<std::int64_t>(progress.done), {}};
        event.values["front"] = static_cast<double>(progress.front);
        if (progress.hypervolume) event.values["hypervolume"] = *progress.hypervolume;
        for (const auto& [name, best] : progress.best) event.values["best/" + name] = best;
        guarded([&] {
            if (!search_) {
                make_inner_folder(folder_, access_);
                make_inner_folder(folder_ + "/search", access_);
                search_ = std::make_unique<AppendFile>(folder_ + "/search/" + file_name(), access_);
                search_->append(event_file(event.wall_seconds, {}));
            }
            std::string bytes;
            put_event(bytes, event);
            search_->append(bytes);
        });
    }

  private:
    bool admitted(CandidateId id) {
        if (trainings_.count(id) > 0 || trainings_.size() < max_trainings)
            return trainings_.insert(id), true;
        if (!full_)
            log::info("{} has the learning curves of the first {} trainings; the journal has all",
                      folder_, max_trainings);
        full_ = true;
        return false;
    }

    void guarded(const std::function<void()>& write) {
        if (broken_) return;
        try {
            write();
        } catch (const Error& error) {
            broken_ = true;
            log::warning("the search goes on without files for TensorBoard: {}", error.what());
        }
    }

    /// As TensorBoard looks for them; files of one folder belong together, in the order of their
    /// names.
    std::string file_name() {
        return fmt::format("events.out.tfevents.{}.{}.{}.{}", unix_milliseconds() / 1000,
                           host_name(), ::getpid(), files_++);
    }

    std::string folder_;
    Access access_;
    std::set<CandidateId> trainings_;
    std::unique_ptr<AppendFile> search_;
    std::uint64_t done_ = 0;
    int files_ = 0;
    bool full_ = false, broken_ = false;
};

TensorBoardStore::TensorBoardStore(RunStore& next, std::string folder, Access access)
    : next_(next), files_(std::make_unique<Files>(std::move(folder), access)) {}

TensorBoardStore::~TensorBoardStore() = default;

std::optional<Recovery> TensorBoardStore::recover() { return next_.recover(); }

void TensorBoardStore::record(const Event& event) {
    next_.record(event);
    if (const auto* done = std::get_if<PartDone>(&event); done && done->part.kind == Part::training)
        files_->add_curve(done->outcome);
}

void TensorBoardStore::commit() { next_.commit(); }

void TensorBoardStore::snapshot(const EngineState& engine,
                                const std::map<CandidateId, InFlight>& in_flight) {
    next_.snapshot(engine, in_flight);
}

void TensorBoardStore::publish(const Progress& progress, const std::vector<ArchiveMember>& front,
                               bool tables) {
    next_.publish(progress, front, tables);
    files_->add_progress(progress);
}

}  // namespace edgeloop
