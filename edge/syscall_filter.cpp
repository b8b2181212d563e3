#include "syscall_filter.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The numbers of calls that are younger than the oldest headers that this is built with; they are
// the same on all machines.
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd 438
#endif
#ifndef __NR_faccessat2
#define __NR_faccessat2 439
#endif
#ifndef __NR_futex_waitv
#define __NR_futex_waitv 449
#endif

namespace edgeloop {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
#error "the numbers of system calls are those of x86-64 and arm64"
#endif

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW, kill_process = SECCOMP_RET_KILL_PROCESS;
constexpr std::uint32_t refused(int code) {
    return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(code) & SECCOMP_RET_DATA);
}

/// Holds when these bits of half an argument are one of the values.
struct Check {
    unsigned argument;
    std::uint32_t bits;
    std::vector<std::uint32_t> values;
    bool high_half = false;
};

/// Writes the filter, one call after the other.
class Writer {
  public:
    explicit Writer(std::uint32_t of_others) : of_others_(of_others) {
        load(offsetof(seccomp_data, arch));
        skip_unless_equal(architecture, 1, 0);
        end(kill_process);
        load(offsetof(seccomp_data, nr));
        // The calls of the x32 interface have this bit, and numbers of their own.
        constexpr std::uint32_t x32 = 0x40000000;
        put(BPF_JMP | BPF_JGE | BPF_K, x32, 0, 1);
        end(kill_process);
    }

    void each(std::uint32_t result, std::initializer_list<long> calls) {
        for (const long call : calls) {
            skip_unless_equal(static_cast<std::uint32_t>(call), 0, 1);
            end(result);
        }
    }

    /// Allows the call when all checks hold.
    void when(long call, const std::vector<Check>& checks, std::uint32_t otherwise) {
        std::vector<sock_filter> body;
        std::swap(body, program_);
        for (const Check& check : checks) add(check, otherwise);
        end(allow);
        std::swap(body, program_);
        skip_unless_equal(static_cast<std::uint32_t>(call), 0,
                          static_cast<std::uint8_t>(body.size()));
        program_.insert(program_.end(), body.begin(), body.end());
    }

    [[nodiscard]] std::vector<sock_filter> take() {
        end(of_others_);
        return std::move(program_);
    }

  private:
    void put(int code, std::uint32_t k, std::uint8_t if_true = 0, std::uint8_t if_false = 0) {
        program_.push_back({static_cast<std::uint16_t>(code), if_true, if_false, k});
    }
    void load(std::size_t offset) {
        put(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
    }
    void skip_unless_equal(std::uint32_t value, std::uint8_t if_equal, std::uint8_t if_not) {
        put(BPF_JMP | BPF_JEQ | BPF_K, value, if_equal, if_not);
    }
    void end(std::uint32_t result) { put(BPF_RET | BPF_K, result); }

    void add(const Check& check, std::uint32_t otherwise) {
        static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
        load(offsetof(seccomp_data, args) + 8 * check.argument + (check.high_half ? 4 : 0));
        put(BPF_ALU | BPF_AND | BPF_K, check.bits);
        for (std::size_t left = check.values.size(); left > 0; --left)
            skip_unless_equal(check.values[check.values.size() - left],
                              static_cast<std::uint8_t>(left), 0);
        end(otherwise);
    }

    std::uint32_t of_others_;
    std::vector<sock_filter> program_;
};

constexpr std::uint32_t whole = 0xffffffff;

std::vector<Check> is_null(unsigned argument) {
    return {{argument, whole, {0}}, {argument, whole, {0}, true}};
}

/// Drivers of GPUs try more than runtimes on a processor.
std::uint32_t evil_of(const SyscallRules& rules) {
    return rules.gpu ? refused(EPERM) : kill_process;
}

void add_computing(Writer& writer) {
    // What runs do comes first: kernels before 5.11 go through the list each time.
    writer.each(allow, {__NR_futex, __NR_recvfrom, __NR_clock_gettime, __NR_madvise, __NR_munmap,
                        __NR_brk, __NR_sched_yield, __NR_clock_nanosleep, __NR_nanosleep, __NR_read,
                        __NR_write, __NR_mprotect, __NR_mremap, __NR_exit, __NR_exit_group});
    writer.each(allow, {__NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn,
                        __NR_rt_sigtimedwait, __NR_sigaltstack, __NR_restart_syscall,
                        __NR_set_robust_list, __NR_get_robust_list, __NR_set_tid_address, __NR_rseq,
                        __NR_membarrier, __NR_futex_waitv, __NR_mincore, __NR_mlock, __NR_munlock,
                        __NR_get_mempolicy, __NR_set_mempolicy, __NR_mbind, __NR_msync});
    writer.each(allow, {__NR_close,         __NR_readv,      __NR_writev,      __NR_pread64,
                        __NR_pwrite64,      __NR_lseek,      __NR_fstat,       __NR_newfstatat,
                        __NR_statx,         __NR_statfs,     __NR_fstatfs,     __NR_faccessat,
                        __NR_faccessat2,    __NR_readlinkat, __NR_getcwd,      __NR_getdents64,
                        __NR_dup,           __NR_dup3,       __NR_pipe2,       __NR_eventfd2,
                        __NR_epoll_create1, __NR_epoll_ctl,  __NR_epoll_pwait, __NR_ppoll,
                        __NR_pselect6,      __NR_fadvise64});
    writer.each(allow, {__NR_getpid,
                        __NR_getppid,
                        __NR_gettid,
                        __NR_getuid,
                        __NR_geteuid,
                        __NR_getgid,
                        __NR_getegid,
                        __NR_getgroups,
                        __NR_uname,
                        __NR_sysinfo,
                        __NR_times,
                        __NR_getrusage,
                        __NR_clock_getres,
                        __NR_gettimeofday,
                        __NR_getrandom,
                        __NR_getcpu,
                        __NR_sched_getaffinity,
                        __NR_sched_getparam,
                        __NR_sched_getscheduler,
                        __NR_sched_get_priority_max,
                        __NR_sched_get_priority_min,
                        __NR_getpriority});
#if defined(__x86_64__)
    writer.each(allow,
                {__NR_arch_prctl, __NR_stat, __NR_lstat, __NR_access, __NR_readlink, __NR_dup2,
                 __NR_pipe, __NR_poll, __NR_select, __NR_epoll_wait, __NR_time, __NR_getrlimit});
#endif
}

void add_conditional(Writer& writer, const SyscallRules& rules) {
    const auto self = static_cast<std::uint32_t>(rules.self);
    const std::uint32_t denied = refused(EPERM), evil = evil_of(rules);
    // A connected socket needs no address; with one it could reach others.
    writer.when(__NR_sendto, is_null(4), denied);
    // Threads, and no processes. Of clone3 the arguments lie in memory, where a filter cannot look:
    // the C library then uses clone.
    writer.when(__NR_clone, {{0, CLONE_THREAD, {CLONE_THREAD}}}, evil);
    writer.each(refused(ENOSYS), {__NR_clone3});
    writer.when(__NR_kill, {{0, whole, {self}}}, evil);
    writer.when(__NR_tgkill, {{0, whole, {self}}}, evil);
    std::vector<Check> only_asks = is_null(2);
    only_asks.push_back({0, whole, {0, self}});
    writer.when(__NR_prlimit64, only_asks, denied);
    constexpr std::uint32_t set_vma = 0x53564d41;  // names for memory, which C libraries give
    writer.when(__NR_prctl, {{0, whole, {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, set_vma}}},
                denied);
    // Not F_SETOWN, by which a descriptor sends signals to others.
    writer.when(__NR_fcntl,
                {{1, whole, {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL}}},
                denied);
    if (rules.gpu) {
        writer.each(allow, {__NR_openat, __NR_ioctl, __NR_mmap, __NR_memfd_create, __NR_ftruncate,
                            __NR_sched_setaffinity});
        return;
    }
    constexpr std::uint32_t temporary = O_TMPFILE & ~O_DIRECTORY;
    constexpr std::uint32_t writing = O_ACCMODE | O_CREAT | O_TRUNC | temporary;
    writer.when(__NR_openat, {{2, writing, {O_RDONLY}}}, denied);
#if defined(__x86_64__)
    writer.when(__NR_open, {{1, writing, {O_RDONLY}}}, denied);
#endif
    writer.each(refused(ENOTTY), {__NR_ioctl});
    // What a memory limit does not count: memory that is shared, of /dev/zero too, which takes
    // pages when it is only read, and growing stacks.
    constexpr std::uint32_t kind = 0x0f;  // MAP_TYPE
    writer.when(__NR_mmap, {{3, kind, {MAP_PRIVATE}}, {3, MAP_GROWSDOWN, {0}}}, denied);
}

void add_refused(Writer& writer) {
    writer.each(refused(EPERM), {__NR_socket,
                                 __NR_socketpair,
                                 __NR_connect,
                                 __NR_bind,
                                 __NR_listen,
                                 __NR_accept,
                                 __NR_accept4,
                                 __NR_sendmsg,
                                 __NR_sendmmsg,
                                 __NR_setsockopt,
                                 __NR_setsid,
                                 __NR_setpgid,
                                 __NR_memfd_create,
                                 __NR_shmget,
                                 __NR_shmat,
                                 __NR_msgget,
                                 __NR_semget,
                                 __NR_mq_open,
                                 __NR_perf_event_open,
                                 __NR_userfaultfd,
                                 __NR_sched_setaffinity,
                                 __NR_sched_setscheduler,
                                 __NR_setpriority,
                                 __NR_setrlimit,
                                 __NR_unlinkat,
                                 __NR_mkdirat,
                                 __NR_renameat2,
                                 __NR_linkat,
                                 __NR_symlinkat,
                                 __NR_fchmodat,
                                 __NR_fchownat,
                                 __NR_mknodat,
                                 __NR_truncate});
}

/// What no runtime does on a processor.
void add_evil(Writer& writer, std::uint32_t evil) {
    writer.each(evil, {__NR_execve,
                       __NR_execveat,
                       __NR_ptrace,
                       __NR_process_vm_readv,
                       __NR_process_vm_writev,
                       __NR_tkill,
                       __NR_rt_sigqueueinfo,
                       __NR_rt_tgsigqueueinfo,
                       __NR_pidfd_send_signal,
                       __NR_pidfd_open,
                       __NR_pidfd_getfd,
                       __NR_unshare,
                       __NR_setns,
                       __NR_mount,
                       __NR_umount2,
                       __NR_pivot_root,
                       __NR_chroot,
                       __NR_bpf,
                       __NR_add_key,
                       __NR_request_key,
                       __NR_keyctl,
                       __NR_init_module,
                       __NR_finit_module,
                       __NR_delete_module,
                       __NR_kexec_load,
                       __NR_reboot});
#if defined(__x86_64__)
    writer.each(evil, {__NR_fork, __NR_vfork});
#endif
}

}  // namespace

std::vector<sock_filter> syscall_filter(const SyscallRules& rules) {
    Writer writer(refused(ENOSYS));
    add_computing(writer);
    add_conditional(writer, rules);
    add_refused(writer);
    add_evil(writer, evil_of(rules));
    return writer.take();
}

bool install_filter(const std::vector<sock_filter>& filter) {
    sock_fprog program{};
    program.len = static_cast<unsigned short>(filter.size());
    program.filter = const_cast<sock_filter*>(filter.data());
    // Without the second flag kernels before 5.16 slow the filtered process down: they take its
    // processor's speculation past stores away.
    constexpr unsigned long all_threads = SECCOMP_FILTER_FLAG_TSYNC;
    constexpr unsigned long full_speed = all_threads | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    for (const unsigned long flags : {full_speed, all_threads}) {
        const long result =
            ::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, static_cast<void*>(&program));
        if (result == 0) return true;
        if (result > 0) errno = ESRCH;  // a thread that has a filter of its own
        if (errno != EINVAL) return false;
    }
    return false;
}

}  // namespace edgeloop
