#pragma once

#include "edgeloop/comm/communicator.hpp"

#include <list>
#include <string>

#include <mpi.h>

namespace edgeloop {

/// Throws CommError with MPI's own text unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// How a wait spends its time.
enum class Patience {
    pressing,  ///< polls for long: the others are in the same step
    eager,     ///< polls for a while before it begins to sleep: the others are about to arrive
    patient    ///< sleeps from the start: the others may be long
};

/// Completes a request. @throws CommError.
void wait_request(MPI_Request& request, Patience patience);

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
