#include "edgeloop/link/measuring_turns.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>

namespace edgeloop {
namespace {

// Two bytes of the file. A measurement first takes the door, which keeps trainings from coming
// back, then the room, which is free when the last of them has left.
constexpr int door = 0, room = 1;
constexpr auto look = std::chrono::milliseconds(1);

// Locks of the open file, not of the process: threads and ranks count alike.
struct flock request(int type, int part) {
    struct flock lock {};
    lock.l_type = static_cast<short>(type);
    lock.l_whence = SEEK_SET;
    lock.l_start = part;
    lock.l_len = 1;
    return lock;
}

}  // namespace

MeasuringTurns::MeasuringTurns(const std::string& path)
    : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (file_.get() < 0) throw IoError(fmt::format("cannot open '{}'", path), std::strerror(errno));
}

bool MeasuringTurns::try_lock(int type, int part) const {
    struct flock lock = request(type, part);
    return ::fcntl(file_.get(), F_OFD_SETLK, &lock) == 0;
}

void MeasuringTurns::unlock(int part) const {
    struct flock lock = request(F_UNLCK, part);
    (void)::fcntl(file_.get(), F_OFD_SETLK, &lock);
}

bool MeasuringTurns::measurement_wants_it() const {
    struct flock lock = request(F_RDLCK, door);
    return ::fcntl(file_.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

TrainingTurn::TrainingTurn(const MeasuringTurns& turns, const GiveUp& give_up) : turns_(turns) {
    enter(give_up);
}

TrainingTurn::~TrainingTurn() {
    if (inside_) turns_.unlock(room);
}

void TrainingTurn::enter(const GiveUp& give_up) {
    const double begin = steady_seconds();
    while (!give_up()) {
        inside_ = !turns_.measurement_wants_it() && turns_.try_lock(F_RDLCK, room);
        if (inside_) break;
        std::this_thread::sleep_for(look);
    }
    waited_s_ += steady_seconds() - begin;
}

void TrainingTurn::yield(const GiveUp& give_up) {
    if (inside_ && !turns_.measurement_wants_it()) return;
    if (inside_) turns_.unlock(room);
    inside_ = false;
    enter(give_up);
}

MeasuringTurn::MeasuringTurn(const MeasuringTurns& turns, double seconds,
                             const std::function<bool()>& give_up)
    : turns_(turns) {
    const double end = steady_seconds() + seconds;
    const auto taken = [&](int part) {
        while (!turns_.try_lock(F_WRLCK, part)) {
            if (give_up() || steady_seconds() > end) return false;
            std::this_thread::sleep_for(look);
        }
        return true;
    };
    alone_ = taken(door) && taken(room);
}

MeasuringTurn::~MeasuringTurn() {
    turns_.unlock(room);
    turns_.unlock(door);
}

}  // namespace edgeloop
