#include "edgeloop/comm/binding.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

namespace edgeloop {
namespace {

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::vector<int> affinity() {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    std::vector<int> cpus;
    if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &mask)) cpus.push_back(cpu);
    return cpus;
}

/// NUMA domain of a CPU as the kernel lists it; 0 when it does not.
int numa_of(int cpu) {
    for (int node = 0;; ++node) {
        std::ifstream file(fmt::format("/sys/devices/system/node/node{}/cpulist", node));
        std::string text;
        if (!std::getline(file, text)) return 0;
        const std::vector<int> cpus = parse_cpu_list(text);
        if (std::binary_search(cpus.begin(), cpus.end(), cpu)) return node;
    }
}

std::string encode(const RankBinding& binding) {
    return fmt::format("{} {} {}", binding.host, binding.numa, format_cpu_list(binding.cpus));
}

RankBinding decode(const std::string& text) {
    RankBinding binding;
    std::string cpus;
    std::istringstream(text) >> binding.host >> binding.numa >> cpus;
    binding.cpus = parse_cpu_list(cpus);
    return binding;
}

/// What the busy ranks of one node want and have.
struct NodeLoad {
    int threads = 0;
    int ranks = 0;
    std::set<int> cpus;
};

}  // namespace

std::vector<int> parse_cpu_list(const std::string& text) {
    std::vector<int> cpus;
    std::istringstream stream(text);
    for (std::string range; std::getline(stream, range, ',');) {
        int first = 0;
        int last = 0;
        char dash = 0;
        std::istringstream part(range);
        if (!(part >> first)) continue;
        if (!(part >> dash >> last)) last = first;
        for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    }
    std::sort(cpus.begin(), cpus.end());
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

RankBinding this_binding() {
    RankBinding binding{host_name(), affinity(), 0};
    if (!binding.cpus.empty()) binding.numa = numa_of(binding.cpus.front());
    return binding;
}

std::vector<RankBinding> gather_bindings(const Communicator& world) {
    std::vector<RankBinding> bindings;
    for (const std::string& text : world.all_gather(encode(this_binding())))
        bindings.push_back(decode(text));
    return bindings;
}

std::vector<std::string> binding_report(const std::vector<RankBinding>& bindings, int threads) {
    std::vector<std::string> lines;
    for (std::size_t rank = 0; rank < bindings.size(); ++rank)
        lines.push_back(fmt::format("rank {}: {}, NUMA {}, {} thread{} on CPUs {}", rank,
                                    bindings[rank].host, bindings[rank].numa, threads,
                                    threads == 1 ? "" : "s", format_cpu_list(bindings[rank].cpus)));
    return lines;
}

void check_oversubscription(const std::vector<RankBinding>& bindings, int threads,
                            int first_busy_rank) {
    std::map<std::string, NodeLoad> nodes;
    for (std::size_t rank = std::size_t(first_busy_rank); rank < bindings.size(); ++rank) {
        const RankBinding& binding = bindings[rank];
        if (binding.cpus.empty()) continue;  // the system does not tell
        if (threads > int(binding.cpus.size()))
            throw ConfigError(
                fmt::format("rank {} is to use {} threads but may run on {} CPUs only", rank,
                            threads, binding.cpus.size()),
                "threads that share a core slow each other down",
                fmt::format("use --threads {} or bind ranks to more cores", binding.cpus.size()));
        NodeLoad& node = nodes[binding.host];
        node.threads += threads;
        ++node.ranks;
        node.cpus.insert(binding.cpus.begin(), binding.cpus.end());
    }
    for (const auto& [host, node] : nodes)
        if (node.threads > int(node.cpus.size()))
            throw ConfigError(
                fmt::format("{} training ranks of {} thread{} share {} CPUs on {}", node.ranks,
                            threads, threads == 1 ? "" : "s", node.cpus.size(), host),
                "ranks that share a core slow each other down",
                fmt::format("start {} fewer ranks there, use fewer --threads, or set "
                            "EDGELOOP_OVERSUBSCRIBE=allow",
                            (node.threads - int(node.cpus.size()) + threads - 1) / threads));
}

}  // namespace edgeloop
