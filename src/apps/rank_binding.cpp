#include "apps/rank_binding.hpp"

#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <cstdlib>
#include <string>

namespace edgeloop::apps {

void report_binding(const std::vector<RankBinding>& bindings, int threads, int first_busy_rank) {
    if (bindings.size() == 1) return;
    for (const std::string& line : binding_report(bindings, threads)) log::info("{}", line);
    try {
        check_oversubscription(bindings, threads, first_busy_rank);
    } catch (const ConfigError& error) {
        const char* said = std::getenv("EDGELOOP_OVERSUBSCRIBE");
        if ((said == nullptr || std::string(said) != "allow") && !launcher_may_share_cores()) throw;
        log::warning("{} ({})", error.problem(), error.why());
    }
}

}  // namespace edgeloop::apps
