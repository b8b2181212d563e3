#pragma once

#include "edgeloop/core/descriptor.hpp"

#include <functional>
#include <string>

namespace edgeloop {

/// Trainings and measurements of one machine take turns, so that what is measured has its core to
/// itself: a file that processes lock. A training holds it together with other trainings and lets a
/// measurement pass between two steps; a measurement has it alone. The kernel releases the locks of
/// a process that ends, however it ends.
///
/// Only one rank of a group may take part: the others wait for it in their next exchange.
class MeasuringTurns {
  public:
    /// Opens the file and makes it when it is not there. @throws IoError
    explicit MeasuringTurns(const std::string& path);

    /// Whether something is measured, or waits for the trainings to pause.
    [[nodiscard]] bool measurement_wants_it() const;

  private:
    friend class TrainingTurn;
    friend class MeasuringTurn;

    [[nodiscard]] bool try_lock(int type, int part) const;
    void unlock(int part) const;

    Descriptor file_;
};

/// From construction to destruction this process trains.
class TrainingTurn {
  public:
    using GiveUp = std::function<bool()>;

    /// Waits for a measurement to end. @param give_up  asked often; true ends the waiting, and the
    /// training goes on beside the measurement.
    TrainingTurn(const MeasuringTurns& turns, const GiveUp& give_up);
    ~TrainingTurn();
    TrainingTurn(const TrainingTurn&) = delete;
    TrainingTurn& operator=(const TrainingTurn&) = delete;

    /// Between two steps: lets a measurement that waits have its turn. A system call when none
    /// does.
    void yield(const GiveUp& give_up);

    /// Seconds that it has waited for measurements so far.
    [[nodiscard]] double waited_s() const { return waited_s_; }

  private:
    void enter(const GiveUp& give_up);

    const MeasuringTurns& turns_;
    bool inside_ = false;
    double waited_s_ = 0;
};

/// From construction to destruction this process measures.
class MeasuringTurn {
  public:
    /// Waits until every training pauses.
    /// @param seconds  after which it is measured beside them all the same.
    MeasuringTurn(const MeasuringTurns& turns, double seconds,
                  const std::function<bool()>& give_up);
    ~MeasuringTurn();
    MeasuringTurn(const MeasuringTurn&) = delete;
    MeasuringTurn& operator=(const MeasuringTurn&) = delete;

    /// Whether the trainings pause.
    [[nodiscard]] bool alone() const { return alone_; }

  private:
    const MeasuringTurns& turns_;
    bool alone_ = false;
};

}  // namespace edgeloop
