#pragma once

#include <vector>

#include <linux/filter.h>
#include <sys/types.h>

namespace edgeloop {

/// What the system calls of a job's process are held to.
struct SyscallRules {
    pid_t self = 0;    ///< the only process that may get a signal from it: itself
    bool gpu = false;  ///< a driver talks to its devices by ioctl and shared memory
};

/// The filter: what computing takes is allowed, anything else does not exist (ENOSYS) or is refused
/// (EPERM). What no runtime does on a processor ends the process: other processes, other programs,
/// looking into processes, signals to them, mounting, kernel keys, modules.
[[nodiscard]] std::vector<sock_filter> syscall_filter(const SyscallRules& rules);

/// Holds all threads of this process to it, for good. PR_SET_NO_NEW_PRIVS comes before.
/// @return false when the kernel cannot, errno says why.
[[nodiscard]] bool install_filter(const std::vector<sock_filter>& filter);

}  // namespace edgeloop
