#pragma once

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/search/run_store.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// Appends events to journal.jsonl. Grammar of a line: src/store/README.md.
class JournalWriter {
  public:
    /// @param next  sequence number of the next event; 0 writes the header line first.
    /// @throws ConfigError, IoError  as AppendFile.
    JournalWriter(const std::string& path, std::uint64_t next, Access access = Access::owner);

    /// Buffers one event.
    void add(const Event& event);
    /// Writes what is buffered with one write(2). @throws IoError.
    void commit();
    /// Commits and waits until it is on the disk.
    void sync();
    /// Sequence number the next event will get.
    [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

  private:
    AppendFile file_;
    std::string buffer_;
    std::uint64_t next_;
};

/// A journal read back.
struct Journal {
    std::vector<Event> events;     ///< events[i] has the sequence number i + 1
    std::uint64_t good_bytes = 0;  ///< where a torn last line begins, or the size of the file
    bool current = true;           ///< of the version that is written now
};

/// Reads a journal; a line torn by a crash at its very end is left out.
///
/// @param designs  whether candidates get their designs, which a replay does not need.
/// @throws CorruptState  naming the first line that fails its checks, unless it is the last.
/// @throws IoError       cannot be read.
[[nodiscard]] Journal read_journal(const std::string& path, bool designs = false);

/// Whether there is anything beyond the first line of this version: a start that ended before its
/// first event leaves nothing, or that line alone. False when there is no such file.
/// @throws ConfigError  it is no regular file; IoError.
[[nodiscard]] bool has_events(const std::string& path);

/// Gives a journal of an earlier version, which has a subset of today's events, today's header.
void upgrade_journal(const std::string& path, Access access);

}  // namespace edgeloop
