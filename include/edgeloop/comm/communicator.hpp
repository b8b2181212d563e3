#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

enum class Reduction { sum, max };

/// A message that has been received.
struct ReceivedMessage {
    int source = 0;
    int tag = 0;
    std::string bytes;
};

/// A sum over all ranks that is under way while the caller computes on.
///
/// The buffer given to Communicator::start_sum() must stay alive and untouched until done. Must be
/// finished (done() true, or wait()) before it is destroyed; the destructor waits otherwise.
class PendingSum {
  public:
    struct Impl;
    explicit PendingSum(std::unique_ptr<Impl> impl);
    ~PendingSum();
    PendingSum(PendingSum&&) noexcept;
    PendingSum& operator=(PendingSum&&) noexcept;

    /// Drives the transfer a little; true once the buffer holds the sum.
    [[nodiscard]] bool done();
    /// Waits for the sum. @throws CommError.
    void wait();

  private:
    std::unique_ptr<Impl> impl_;
};

/// Ranks that work together. Without mpirun it is one rank and makes no MPI call.
///
/// Copies share one MPI communicator, freed with the last of them. Collectives must be called by
/// all ranks in the same order. All waits sleep between probes, so an idle rank costs next to
/// nothing. A communicator belongs to the thread that uses it.
class Communicator {
  public:
    /// A group of this process alone, without MPI.
    Communicator();

    [[nodiscard]] int rank() const;
    [[nodiscard]] int size() const;

    /// Ranks with the same colour form a group, ordered by rank; colour < 0 gives no group.
    [[nodiscard]] std::optional<Communicator> split(int colour) const;

    void broadcast(std::string& bytes, int root) const;
    void broadcast(float* values, std::size_t count, int root) const;
    void all_reduce(double* values, std::size_t count, Reduction reduction) const;
    [[nodiscard]] double all_reduce(double value, Reduction reduction) const;
    /// The bytes of every rank, on every rank. Shape (size).
    [[nodiscard]] std::vector<std::string> all_gather(std::string_view bytes) const;

    /// Begins a sum over ranks in place. Every rank starts its sums in the same order.
    [[nodiscard]] PendingSum start_sum(float* values, std::size_t count) const;

    /// Sends without ever waiting for the receiver: the bytes are copied.
    void send(int destination, int tag, std::string_view bytes) const;
    /// A message that is here already from anyone, or nothing. Messages of one sender arrive in the
    /// order they were sent.
    [[nodiscard]] std::optional<ReceivedMessage> try_receive() const;
    /// Waits, sleeping.
    [[nodiscard]] ReceivedMessage receive() const;
    /// Waits until every message sent so far has left, for at most `seconds`. True if so.
    bool flush(double seconds) const;

    /// True if `bytes` is the same on every rank: for seeds, config hashes, step counts.
    [[nodiscard]] bool is_same_on_all_ranks(std::string_view bytes) const;

    /// Runs `phase` on every rank, then agrees: when it threw on any rank, all ranks throw, the
    /// failing rank its own error, the others one of the same class that names rank and reason.
    void agree(const std::string& what, const std::function<void()>& phase) const;

    struct Impl;
    explicit Communicator(std::shared_ptr<const Impl> impl);

  private:
    std::shared_ptr<const Impl> impl_;
};

}  // namespace edgeloop
