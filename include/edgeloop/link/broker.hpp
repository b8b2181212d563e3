#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/link/job_board.hpp"
#include "edgeloop/link/keys.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace edgeloop {

class ZmqContext;  // src/link/socket.hpp

struct BrokerOptions {
    std::string endpoint = "tcp://127.0.0.1:*";  ///< port * : the system chooses
    LinkKeys keys;                               ///< empty: no encryption
    /// With `keys`: who may connect. Keys one a line, Z85, then optionally the word device, search
    /// or operator, then anything; '#' starts a comment. Or a folder: every *.pub in it, those in
    /// its subfolders devices/ and searches/ only as that, those in operators/ may drop the jobs of
    /// others. Read again whenever it changes: new keys get in within seconds, sessions of those
    /// that are gone end.
    std::string allow_list;
    bool allow_plain_network = false;  ///< accept an endpoint others can reach without keys
    BoardOptions board;
    /// Resident memory of the process in MiB beyond which all connections are ended, in case their
    /// buffers are what takes it; 0: no limit, for a process that does more than this.
    std::uint64_t max_memory_mib = 0;
};

/// The meeting point of searches and devices: both dial in to its one ROUTER socket.
///
/// Runs in a thread of its own from construction to destruction. Used by edgeloop-bridge (with a
/// durable store) and inside a search (`--edge bind:`, `--edge local`).
class Broker {
  public:
    /// Binds and starts. @throws ConfigError  for an endpoint that others can reach without keys,
    /// or an allow-list that cannot be read; CommError when it cannot be bound.
    /// @param store  outlives the broker; used from its thread only.
    Broker(const BrokerOptions& options, JobStore& store);
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    /// Where it is bound, with the port the system chose.
    [[nodiscard]] const std::string& endpoint() const;
    /// For a client in the same process (with context()); needs no keys.
    [[nodiscard]] const std::string& local_endpoint() const;
    [[nodiscard]] std::shared_ptr<ZmqContext> context() const;
    /// Looks at the allow-list now instead of within a second. From any thread.
    void reread_keys();
    /// Throws what ended the thread early, if anything did.
    void check() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace edgeloop
