#pragma once

#include "edgeloop/core/access.hpp"
#include "edgeloop/search/run_store.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace edgeloop {

/// A saved state and its place in the journal.
struct Snapshot {
    SearchState state;
    std::uint64_t events = 0;  ///< of the journal that the state includes
};

/// Envelope with a cereal portable-binary payload.
[[nodiscard]] std::string encode_snapshot(const EngineState& engine,
                                          const std::map<CandidateId, InFlight>& in_flight,
                                          std::uint64_t events);
/// @param where  named in errors.
/// @throws CorruptState  anything but exactly what encode_snapshot() gave.
[[nodiscard]] Snapshot decode_snapshot(std::string_view bytes, const std::string& where);

/// The checkpoint folder of a run: population-<n>.ckpt, the newest few kept.
class SnapshotFolder {
  public:
    SnapshotFolder(std::string path, std::size_t kept, Access access = Access::owner);

    /// Writes the next one and removes those that are too old. @throws IoError.
    void write(const std::string& bytes);
    /// The newest good one; bad ones are passed over with a warning. Nothing when there is none at
    /// all. @throws CorruptState  there are some and none is good.
    [[nodiscard]] std::optional<Snapshot> newest() const;
    [[nodiscard]] bool empty() const { return numbers().empty(); }

  private:
    [[nodiscard]] std::vector<std::uint64_t> numbers() const;  ///< ascending
    [[nodiscard]] std::string file(std::uint64_t number) const;

    std::string path_;
    std::size_t kept_;
    Access access_;
};

}  // namespace edgeloop
