#pragma once

#include "edgeloop/comm/communicator.hpp"

namespace edgeloop {

/// MPI from start to end of the program. Started by mpirun or srun it initialises MPI; otherwise it
/// does nothing and world() is this process alone.
class MpiSession {
  public:
    /// @throws CommError  the thread level FUNNELED is not available.
    MpiSession(int& argc, char**& argv);
    ~MpiSession();
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;

    [[nodiscard]] Communicator world() const;
    /// Ends the whole job now, with this exit code; safe while other ranks wait in a collective,
    /// and safe outside MPI.
    static void abort(int exit_code);
};

}  // namespace edgeloop
