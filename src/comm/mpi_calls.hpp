#pragma once

#include "edgeloop/comm/communicator.hpp"

#include <list>
#include <string>

#include <mpi.h>

namespace edgeloop {

/// Throws CommError with MPI's own text unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// Seconds to poll before a wait begins to sleep: when the others are about to arrive.
constexpr double eager_s = 2e-3;
/// The same when they are in the same step. Large sums move only while somebody polls: a sleep
/// between two of their many pieces is longer than the piece. Ranks of a group arrive within
/// fractions of a step.
constexpr double pressing_s = 0.25;

/// Completes a request. @param poll_s  0: sleeps from the start, the others may be long.
/// @throws CommError.
void wait_request(MPI_Request& request, double poll_s = 0);

/// A send whose bytes must live until MPI is done with them.
struct OutgoingMessage {
    std::string bytes;
    MPI_Request request = MPI_REQUEST_NULL;
};

/// One MPI communicator, freed with its owner; or this process alone (handle is MPI_COMM_NULL).
struct Communicator::Impl {
    Impl() = default;
    /// Takes ownership unless `owned` is false. REQUIRES: MPI is initialised.
    Impl(MPI_Comm comm, bool owned);
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] bool alone() const { return size == 1; }
    void drop_completed_sends() const;

    MPI_Comm handle = MPI_COMM_NULL;
    bool owned = false;
    int rank = 0;
    int size = 1;
    mutable std::list<OutgoingMessage> outgoing;
};

}  // namespace edgeloop
