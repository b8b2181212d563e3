#pragma once

#include "support/places.hpp"
#include "support/tcp_proxy.hpp"

#include "edgeloop/core/child_process.hpp"

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop::test {

/// A bridge process that can be killed and started again at the same address and folder.
class BridgeProcess {
  public:
    explicit BridgeProcess(std::string folder, std::vector<std::string> more = {})
        : folder_(std::move(folder)), more_(std::move(more)), port_(free_port()) {
        start();
    }
    void start() {
        ChildOptions child;
        child.arguments = {program("edgeloop-bridge"),
                           "serve",
                           "--bind",
                           endpoint(),
                           "--store",
                           folder_,
                           "--log-level",
                           "error"};
        child.arguments.insert(child.arguments.end(), more_.begin(), more_.end());
        process_ = std::make_unique<ChildProcess>(child);
    }
    void kill() {
        ::kill(process_->pid(), SIGKILL);
        process_->wait_for(10);
    }
    [[nodiscard]] pid_t pid() const { return process_->pid(); }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string endpoint() const {
        return "tcp://127.0.0.1:" + std::to_string(port_);
    }

  private:
    std::string folder_;
    std::vector<std::string> more_;
    std::uint16_t port_;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace edgeloop::test
