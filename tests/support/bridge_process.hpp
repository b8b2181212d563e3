#pragma once

#include "support/places.hpp"
#include "support/tcp_proxy.hpp"

#include "edgeloop/core/child_process.hpp"

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

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
    /// As on a full disk: no file of the bridge grows any more; or all may again.
    void fill_disk(bool full) const {
        rlimit size{};
        ASSERT_EQ(::prlimit(pid(), RLIMIT_FSIZE, nullptr, &size), 0);
        size.rlim_cur = full ? 0 : size.rlim_max;
        ASSERT_EQ(::prlimit(pid(), RLIMIT_FSIZE, &size, nullptr), 0);
    }
    /// @param field  of /proc/PID/status: VmRSS, or VmHWM for the most there ever was.
    [[nodiscard]] double resident_mib(const std::string& field) const {
        std::ifstream file("/proc/" + std::to_string(pid()) + "/status");
        for (std::string line; std::getline(file, line);)
            if (line.rfind(field + ":", 0) == 0)
                return std::stod(line.substr(field.size() + 1)) / 1024;
        return 0;
    }
    /// Bytes of the files of its store.
    [[nodiscard]] double store_mib() const {
        std::uintmax_t bytes = 0;
        std::error_code gone;
        for (const auto& file : std::filesystem::directory_iterator(folder_))
            if (const auto size = file.file_size(gone); !gone) bytes += size;
        return static_cast<double>(bytes) / (1 << 20);
    }
    [[nodiscard]] bool is_running() const { return !process_->poll(); }
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
