#pragma once

#include "edgeloop/evaluation/interfaces.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace edgeloop {

/// The devices of a run by class: how they are reached, and whether they deliver what is asked for.
class DeviceClasses {
  public:
    explicit DeviceClasses(Probes probes) : probes_(std::move(probes)) {}

    [[nodiscard]] const Probes& probes() const { return probes_; }
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] LatencyProbe& of(const std::string& device_class) const {
        return *probes_.at(device_class);
    }

    /// Whether those of this class that are there deliver what is asked for; says when that
    /// changes.
    [[nodiscard]] bool suffice(const std::string& device_class);
    /// Whether those of each class do.
    [[nodiscard]] bool suffice();
    /// What they lack.
    [[nodiscard]] std::optional<std::string> lacking() const;
    /// The ways to all of them; nothing when nobody measures.
    [[nodiscard]] std::optional<LinkState> link() const;

  private:
    Probes probes_;
    std::map<std::string, std::string> lacking_;  ///< by class
};

/// What is said about a class of devices; without a name of it the text itself.
[[nodiscard]] std::string about_class(const std::string& device_class, const std::string& text);

}  // namespace edgeloop
