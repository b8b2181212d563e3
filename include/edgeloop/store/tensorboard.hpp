#pragma once

#include "edgeloop/core/access.hpp"
#include "edgeloop/search/run_store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// One point of several curves.
struct ScalarEvent {
    double wall_seconds = 0;  ///< since 1970
    std::int64_t step = 0;
    std::map<std::string, double> values;  ///< by tag; TensorBoard keeps them as float32
};

/// An event file of TensorBoard with these points: TFRecords of Event messages.
/// Source of the formats: tensorflow.org, "TFRecord and tf.train.Example"; event.proto and
/// summary.proto of TensorBoard.
/// @param wall_seconds  of its first record, which names the version of the format.
[[nodiscard]] std::string event_file(double wall_seconds, const std::vector<ScalarEvent>& events);

/// Passes everything on to another store and writes event files beside it: `search/` has
/// hypervolume, size of the front and best objectives over designs done, `designs/<id>/` the
/// learning curve of a training over its epochs, of the first 1000 trainings.
///
/// What goes wrong with these files is reported once, and no more of them are written then.
class TensorBoardStore : public RunStore {
  public:
    /// @param next    must outlive it.
    /// @param folder  is made when there is something to write. Its parent must be there.
    TensorBoardStore(RunStore& next, std::string folder, Access access);
    ~TensorBoardStore() override;

    [[nodiscard]] std::optional<Recovery> recover() override;
    void record(const Event& event) override;
    void commit() override;
    void snapshot(const EngineState& engine,
                  const std::map<CandidateId, InFlight>& in_flight) override;
    void publish(const Progress& progress, const std::vector<ArchiveMember>& front,
                 bool tables) override;

  private:
    class Files;

    RunStore& next_;
    std::unique_ptr<Files> files_;
};

}  // namespace edgeloop
