#pragma once

#include "edgeloop/comm/communicator.hpp"

namespace edgeloop {

/// Whether mpirun, srun or another launcher started this process as a rank of an MPI job. Reads the
/// environment alone, so it may be asked before MpiSession exists.
[[nodiscard]] bool launched_by_mpi();

/// The rank the launcher gave this process, 0 without one; known before MPI_Init. Helper processes
/// must be started before MPI_Init, and only rank 0 starts them.
[[nodiscard]] int launcher_rank();

/// Rank among those on this node as the launcher counts, 0 without one. Known before MPI_Init, so
/// the accelerator can be chosen before the first MPI call.
[[nodiscard]] int launcher_local_rank();

/// Whether the user told mpirun that ranks may share cores (Open MPI 4 and 5: --oversubscribe or
/// --map-by :OVERSUBSCRIBE). Open MPI 5 does not pass the option on: there it shows by more ranks
/// than slots, which mpirun starts only when told to.
[[nodiscard]] bool launcher_may_share_cores();

/// Leaves of the CUDA devices of this node the one that this process's rank on the node selects, by
/// CUDA_VISIBLE_DEVICES. Call before MpiSession: an MPI that knows CUDA takes the device it finds.
void claim_cuda_device();

/// MPI from start to end of the program. Started by mpirun or srun it initialises MPI; otherwise it
/// does nothing and world() is this process alone.
///
/// Destroyed while an exception is passing through, it leaves MPI alone: finalising while other
/// ranks wait hangs for ever. The program then ends with abort().
class MpiSession {
  public:
    /// @throws CommError  the thread level FUNNELED is not available.
    MpiSession(int& argc, char**& argv);
    ~MpiSession();
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;

    [[nodiscard]] Communicator world() const;
    /// Ranks of this job on this node, as MPI counts those that can share memory: launchers differ
    /// in what they tell. 1 without MPI, and before the session.
    [[nodiscard]] static int ranks_on_node();
    /// Ends the whole job now, with this exit code; safe while other ranks wait in a collective.
    /// Outside MPI it returns, and the program ends by itself.
    static void abort(int exit_code);

  private:
    int exceptions_at_start_ = 0;
};

}  // namespace edgeloop
