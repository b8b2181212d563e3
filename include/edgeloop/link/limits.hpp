#pragma once

#include "edgeloop/link/messages.hpp"
#include "edgeloop/link/shares.hpp"

#include <cstddef>
#include <cstdint>

/// What peers may take of a broker. What an operator can set is a default here; the rest is fixed.
/// The table in src/link/README.md explains them; a test compares it with these.
namespace edgeloop::limits {

constexpr std::uint64_t mib = 1 << 20;

// Of these nobody gets more while it has as much as is left for all others.
constexpr std::size_t queued_jobs = 100'000;
constexpr std::uint64_t queued_bytes = 256 * mib;
constexpr std::uint64_t job_bytes = 1024, wait_bytes = 256;  ///< of a job beside its text, a wait
constexpr std::size_t sessions = 256;
constexpr std::uint64_t record_bytes = 8 * mib;  ///< of devices that are here
constexpr std::size_t names = 4096;              ///< of devices that are remembered

constexpr std::uint64_t model_bytes = max_model_bytes;   ///< of a file that a job is about
constexpr double ask_again_s = 2, silent_upload_s = 60;  ///< for a piece of it, and without one

// Of a key, or of a name without keys.
constexpr Rate hellos{128, 4}, submits{20'000, 500}, questions{50, 10};
/// A Hello, and a submit that is answered from the store, counts one more for so many bytes.
constexpr double bytes_that_count = 4096;
/// Bytes of files that its devices are sent.
constexpr Rate pieces{256 * mib, 32 * mib};
constexpr Rate messages{20'000, 2000};
constexpr Rate message_bytes{64 * mib, 8 * mib};
constexpr std::size_t spare_connections = 16;  ///< beside those that its sessions need

// Of a session or connection, and of all.
constexpr Rate undecodable{3, 0.01};
constexpr std::uint64_t unfinished_bytes = 4 * wire::max_message_bytes;
constexpr std::uint64_t all_unfinished_bytes = 64 * mib;
constexpr double silence_factor = 4, least_silence_s = 20;  ///< of a device that measures
constexpr int unread_messages = 16, unsent_messages = 32;
constexpr std::size_t unsent_bytes = 16 * mib, all_unsent_bytes = 64 * mib;
constexpr double standstill_s = 15;

// Of a bridge.
constexpr std::size_t results = 200'000;
constexpr std::uint64_t result_bytes = 2048 * mib;
constexpr std::uint64_t resident_mib = 768;
constexpr double unclaimed_s = 7 * 86'400.0;

}  // namespace edgeloop::limits
