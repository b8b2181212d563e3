#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace edgeloop::inference {

/// Threads that share out the tasks of one step after the other. Between calls they sleep; within
/// one they spin, and nothing locks or allocates.
class Team {
  public:
    /// @param threads  with the caller's.
    /// @param cpus  the thread with number i is pinned to cpus[i], the caller's is left where it
    /// is; empty: none is pinned.
    /// @throws IoError  a thread cannot be started or pinned.
    Team(int threads, const std::vector<int>& cpus);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    [[nodiscard]] int size() const { return size_; }
    /// Runs `body` on every thread at once, with its number from 0; the caller is 0.
    using Body = void (*)(void* context, int thread);
    void run(Body body, void* context);
    /// Waits within a body until all threads are here.
    void meet();

  private:
    void work(int thread);
    void stop();

    int size_;
    Body body_ = nullptr;
    void* context_ = nullptr;
    std::atomic<std::uint32_t> call_{0}, sleeping_{0}, done_{0}, arrived_{0}, meetings_{0};
    std::atomic<bool> ends_{false};
    std::vector<std::thread> threads_;
};

}  // namespace edgeloop::inference
