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
    /// @param log_file  gets what it says; empty: it says errors only, where the test does.
    explicit BridgeProcess(std::string folder, std::vector<std::string> more = {},
                           std::string log_file = {})
        : folder_(std::move(folder)),
          more_(std::move(more)),
          log_file_(std::move(log_file)),
          port_(free_port()) {
        start();
    }
    /// @param by  words that run the words that follow them.
    void start(const std::vector<std::string>& by = {}) {
        ChildOptions child;
        child.arguments = by;
        for (const std::string& word :
             {program("edgeloop-bridge"), std::string("serve"), std::string("--bind"), endpoint(),
              std::string("--store"), folder_, std::string("--log-level"),
              std::string(log_file_.empty() ? "error" : "info")})
            child.arguments.push_back(word);
        child.arguments.insert(child.arguments.end(), more_.begin(), more_.end());
        child.output_file = log_file_;
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
    std::string log_file_;
    std::uint16_t port_;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace edgeloop::test
