#include "mpi_calls.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <thread>

namespace edgeloop {
namespace {

bool finished(MPI_Request& request) {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    return done != 0;
}

}  // namespace

void check_mpi(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    MPI_Error_string(code, text, &length);
    throw CommError(std::string(call) + " failed", std::string(text, std::size_t(length)));
}

void wait_request(MPI_Request& request, double poll_s) {
    const double until = steady_seconds() + poll_s;
    BackOff pause;
    while (!finished(request))
        if (steady_seconds() < until)
            std::this_thread::yield();
        else
            pause.wait();
}

Communicator::Impl::Impl(MPI_Comm comm, bool take_ownership) : handle(comm), owned(take_ownership) {
    check_mpi(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check_mpi(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(comm, &size), "MPI_Comm_size");
}

Communicator::Impl::~Impl() {
    if (handle == MPI_COMM_NULL) return;
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized == 0 && owned) MPI_Comm_free(&handle);
}

void Communicator::Impl::drop_completed_sends() const {
    for (auto message = outgoing.begin(); message != outgoing.end();)
        message = finished(message->request) ? outgoing.erase(message) : std::next(message);
}

}  // namespace edgeloop
