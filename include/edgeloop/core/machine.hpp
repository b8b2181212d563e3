#pragma once

#include <string>
#include <vector>

namespace edgeloop {

/// Name of this machine, or "unknown".
[[nodiscard]] std::string host_name();

/// CPUs this process may run on now, ascending; empty when the system does not tell.
[[nodiscard]] std::vector<int> allowed_cpus();
/// @return false when that failed, errno says why.
[[nodiscard]] bool pin_to_cpus(const std::vector<int>& cpus);

/// The CPUs of a text such as "0,2-3", as the kernel writes them, in its order.
/// @throws ConfigError  anything else, or a CPU that no set can hold.
[[nodiscard]] std::vector<int> parse_cpu_list(const std::string& text);
[[nodiscard]] std::string format_cpu_list(const std::vector<int>& cpus);

}  // namespace edgeloop
