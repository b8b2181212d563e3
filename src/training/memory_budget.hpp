#pragma once

#include <string>

namespace edgeloop {

/// Limit of the control groups this process is in, from its own up to the root, of version 1 or 2;
/// infinity when there is none. @param root  of a made-up machine, for tests.
[[nodiscard]] double control_group_bytes(const std::string& root = {});

/// What SLURM granted the job on this node; infinity outside of one, or when it says nothing.
[[nodiscard]] double batch_job_bytes();

/// Nine tenths of this machine's memory, or of what its control groups or the batch system leave of
/// it, shared equally among the `ranks` on it.
[[nodiscard]] double memory_share_bytes(int ranks);

}  // namespace edgeloop
