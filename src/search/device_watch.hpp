#pragma once

#include "edgeloop/core/log.hpp"
#include "edgeloop/evaluation/interfaces.hpp"

#include <optional>
#include <string>
#include <utility>

namespace edgeloop {

/// Whether the devices that are there can deliver what is asked for; says when that changes.
class DeviceWatch {
  public:
    [[nodiscard]] bool suffice(const LatencyProbe& probe) {
        std::optional<std::string> lacks = probe.lacks();
        if (lacks && lacks != lacking_)
            log::warning("no training begins: {}", *lacks);
        else if (!lacks && lacking_)
            log::info("a device delivers what this run asks for: training begins");
        lacking_ = std::move(lacks);
        return !lacking_;
    }
    /// What they lack.
    [[nodiscard]] const std::optional<std::string>& lacking() const { return lacking_; }

  private:
    std::optional<std::string> lacking_;
};

}  // namespace edgeloop
