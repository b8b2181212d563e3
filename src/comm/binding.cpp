#include "edgeloop/comm/binding.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>

namespace edgeloop {
namespace {

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

RankBinding this_binding() {
    RankBinding binding{host_name(), allowed_cpus(), 0};
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
