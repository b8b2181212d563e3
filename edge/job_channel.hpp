#pragma once

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/json.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// What the process of a job says while it runs the network. It is sent at the moment that it is
/// about, and the kernel says when that was.
struct Mark {
    enum Kind : std::uint32_t { begun, prepared, done, looked, spun };
    std::uint32_t kind = begun;
    std::uint32_t alone = 0;  ///< looked, spun: whether the core was its own
    std::int64_t own_ns = 0;  ///< its own clock; believed only where the kernel tells no time
    double value = 0;         ///< looked: MHz; spun: for how many nanoseconds, by its own clock
};

struct StampedMark {
    Mark mark;
    std::int64_t at_ns = 0;  ///< on the clock of steady_nanoseconds()
};

/// The job's end: all that its process has beside its memory.
class JobSide {
  public:
    JobSide(int control, int marks) : control_(control), marks_(marks) {}

    /// Waits for a command. @return nothing when the other end is gone.
    [[nodiscard]] std::optional<Json> next_command() const;
    void answer(const Json& answer) const;
    /// @return own_ns of the mark.
    std::int64_t mark(Mark::Kind kind, double value = 0, bool alone = false) const;

  private:
    int control_, marks_;
};

/// Two pairs of sockets between the measuring process and the process of one job: commands and
/// answers on one, marks on the other. The kernel stamps each mark when it is sent, so the time
/// between two is real, whatever the sender does; and no one is woken by a mark, so that the core
/// stays with the network. They are read when an answer says that a stretch of runs is over.
class JobChannel {
  public:
    enum class Received { answer, nothing_in_time, gone };

    /// @throws IoError.
    JobChannel();

    // What whoever measures does.
    void close_job_end();
    /// @return false when the other end is gone.
    [[nodiscard]] bool send(const Json& command) const;
    /// Waits until `deadline` (steady_seconds()). @throws ConfigError  what came is no answer.
    [[nodiscard]] Received receive(Json& answer, double deadline) const;
    /// Begins a stretch of marks; before the command that makes them is sent.
    void begin_stretch();
    /// The marks that have come since. @throws ConfigError  one is none, or from before.
    [[nodiscard]] std::vector<StampedMark> stretch() const;
    /// Whether somebody has set the clock since begin_stretch(): its times mean nothing.
    [[nodiscard]] bool clock_was_set() const;
    /// Marks that fit between two reads.
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    /// Whether the kernel stamps; else marks say what the job's own clock said.
    [[nodiscard]] bool is_stamped() const { return stamped_; }

    // In the job's process: descriptors that its end has there.
    [[nodiscard]] int job_control() const { return job_control_.get(); }
    [[nodiscard]] int job_marks() const { return job_marks_.get(); }

  private:
    void find_capacity();
    void find_stamps();

    Descriptor control_, marks_, job_control_, job_marks_;
    std::size_t capacity_ = 0;
    bool stamped_ = false;
    std::int64_t offset_ns_ = 0;  ///< of the clock of stamps to that of steady_nanoseconds()
    std::int64_t begun_ns_ = 0;   ///< the stretch
};

}  // namespace edgeloop
