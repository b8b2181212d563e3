#include "edgeloop/store/timed_store.hpp"

#include "edgeloop/core/clock.hpp"

namespace edgeloop {

template <class Call>
void TimedStore::timed(const Call& call) {
    const double start = steady_seconds();
    call();
    seconds_ += steady_seconds() - start;
}

std::optional<Recovery> TimedStore::recover() {
    std::optional<Recovery> recovery = store_.recover();
    recovered_ = recovery.has_value();
    return recovery;
}

void TimedStore::record(const Event& event) {
    timed([&] { store_.record(event); });
}

void TimedStore::commit() {
    timed([&] { store_.commit(); });
}

void TimedStore::snapshot(const EngineState& engine,
                          const std::map<CandidateId, InFlight>& in_flight) {
    timed([&] { store_.snapshot(engine, in_flight); });
}

void TimedStore::publish(const Progress& progress, const std::vector<ArchiveMember>& front,
                         bool tables) {
    timed([&] { store_.publish(progress, front, tables); });
}

}  // namespace edgeloop
