#include "edgeloop/core/machine.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <sstream>
#include <string_view>

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

namespace edgeloop {
namespace {

int parse_cpu(std::string_view text, const std::string& whole) {
    const int cpu = number_in<int>(text).value_or(-1);
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        throw ConfigError(fmt::format("'{}' is not a list of cores", whole),
                          fmt::format("a core is a number from 0 to {}", CPU_SETSIZE - 1),
                          "write it like 0,2-3");
    return cpu;
}

}  // namespace

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::vector<int> allowed_cpus() {
    cpu_set_t set;
    std::vector<int> cpus;
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

bool pin_to_cpus(const std::vector<int>& cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int cpu : cpus) CPU_SET(cpu, &set);
    return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

std::vector<int> parse_cpu_list(const std::string& text) {
    std::vector<int> cpus;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        const auto dash = part.find('-');
        const int first = parse_cpu(std::string_view(part).substr(0, dash), text);
        const int last = dash == std::string::npos
                             ? first
                             : parse_cpu(std::string_view(part).substr(dash + 1), text);
        for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    }
    return cpus;
}

std::string format_cpu_list(const std::vector<int>& cpus) {
    std::string text;
    for (std::size_t i = 0; i < cpus.size();) {
        std::size_t end = i + 1;
        while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
        if (!text.empty()) text += ',';
        text += end - i == 1 ? fmt::format("{}", cpus[i])
                             : fmt::format("{}-{}", cpus[i], cpus[end - 1]);
        i = end;
    }
    return text;
}

}  // namespace edgeloop
