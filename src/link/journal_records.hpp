#pragma once

#include "edgeloop/core/envelope.hpp"
#include "edgeloop/link/job_store.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace edgeloop {

/// Records of what happened to jobs, one sealed envelope each, its request id the job's: what the
/// bridge's store keeps, and what the journals of earlier releases hold one after the other.
constexpr EnvelopeFormat record_format{"EBRJ", 1};

enum RecordType : std::uint16_t {
    job = 1,      ///< text line "priority losses", then the job
    losses = 2,   ///< decimal
    dropped = 3,  ///< empty
    result = 4,
    given = 6,  ///< device it was sent to: its name, and after a line feed its key if it showed one
    origin = 7  ///< of a job: text line "unix seconds", then whose share it is part of
};

[[nodiscard]] std::string seal_record(RecordType type, std::uint64_t id, std::string payload);
/// All records of an open job.
[[nodiscard]] std::string seal_job(const OpenJob& open);

/// Calls `use` with each sound record in `bytes`; passes by what is none, or makes `use` throw
/// CorruptState. @return number of bytes passed by.
std::size_t for_each_record(std::string_view bytes,
                            const std::function<void(const Envelope&)>& use);

/// Applies a record to an open job. @throws CorruptState  not one of an open job.
void apply(const Envelope& record, OpenJob& open);
/// Applies a record to a store. @throws CorruptState.
void apply(const Envelope& record, JobStore& store);

}  // namespace edgeloop
