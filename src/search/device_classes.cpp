#include "search/device_classes.hpp"

#include "edgeloop/core/log.hpp"

namespace edgeloop {

std::vector<std::string> DeviceClasses::names() const {
    std::vector<std::string> names;
    for (const auto& each : probes_) names.push_back(each.first);
    return names;
}

bool DeviceClasses::suffice(const std::string& device_class) {
    const std::optional<std::string> lacks = of(device_class).lacks();
    const auto before = lacking_.find(device_class);
    const bool lacked = before != lacking_.end();
    if (lacks) {
        if (!lacked || before->second != *lacks)
            log::warning("no training begins: {}", about_class(device_class, *lacks));
        lacking_[device_class] = *lacks;
    } else if (lacked) {
        lacking_.erase(before);
        if (lacking_.empty())
            log::info("a device delivers what this run asks for: training begins");
    }
    return !lacks;
}

bool DeviceClasses::suffice() {
    bool all = true;
    for (const auto& each : probes_) all = suffice(each.first) && all;
    return all;
}

std::optional<std::string> DeviceClasses::lacking() const {
    if (lacking_.empty()) return std::nullopt;
    return about_class(lacking_.begin()->first, lacking_.begin()->second);
}

std::optional<LinkState> DeviceClasses::link() const {
    if (probes_.empty()) return std::nullopt;
    LinkState all;
    for (const auto& [name, probe] : probes_) {
        const LinkState link = probe->link();
        all.text += (all.text.empty() ? "" : "; ") + about_class(name, link.text);
        all.up = all.up && link.up;
        all.devices += link.devices;
    }
    return all;
}

std::string about_class(const std::string& device_class, const std::string& text) {
    return device_class.empty() ? text : device_class + ": " + text;
}

}  // namespace edgeloop
