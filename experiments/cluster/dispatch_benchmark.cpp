// Candidates a second through rank 0 when they take no time, and the coordinator's cost of one that
// takes long. Prints one JSON object.
//   mpirun -n 3 dispatch_benchmark [candidates] [milliseconds of one]
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/dispatch/worker.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

namespace edgeloop {
namespace {

Candidate example(CandidateId id) {
    Candidate candidate;
    candidate.id = id;
    candidate.genome.genes.assign(30, 0.5);
    return candidate;
}

/// Evaluates `count` candidates the way a search does; seconds it took.
double evaluate(Evaluator& evaluator, CandidateId count) {
    const double start = steady_seconds();
    CandidateId next = 1;
    CandidateId done = 0;
    BackOff pause;
    while (done < count) {
        while (next <= count && evaluator.free_slots() > 0) evaluator.submit(example(next++));
        const std::size_t arrived = evaluator.poll().size();
        done += arrived;
        arrived > 0 ? pause.reset() : pause.wait();
    }
    return steady_seconds() - start;
}

int benchmark(int argc, char** argv, const Communicator& world) {
    const auto count = CandidateId(argc > 1 ? std::atoll(argv[1]) : 100000);
    const int milliseconds = argc > 2 ? std::atoi(argv[2]) : 0;
    const GroupPlan plan = plan_groups(world.size(), 1);
    if (world.rank() != 0) {
        serve_candidates(
            world, plan, [&](const Candidate& one, const Communicator&, const CancelToken&) {
                if (milliseconds > 0)
                    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
                Outcome outcome;
                outcome.metrics = {{"f1", one.genome.genes[0]}, {"f2", 1.0}};
                return outcome;
            });
        return 0;
    }
    GroupEvaluator evaluator(world, plan);
    const double cpu_before = double(std::clock()) / CLOCKS_PER_SEC;
    const double seconds = evaluate(evaluator, count);
    const double cpu = double(std::clock()) / CLOCKS_PER_SEC - cpu_before;
    const auto groups = double(plan.groups.size());
    const Json result = {
        {"ranks", world.size()},
        {"candidates", count},
        {"milliseconds_of_one", milliseconds},
        {"candidates_per_s", double(count) / seconds},
        {"overhead_ms_per_candidate", 1e3 * seconds * groups / double(count) - milliseconds},
        {"coordinator_cpu_share", cpu / seconds}};
    std::printf("%s\n", result.dump(2).c_str());
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program(
        [&] {
            const edgeloop::MpiSession session(argc, argv);
            return edgeloop::benchmark(argc, argv, session.world());
        },
        edgeloop::MpiSession::abort);
}
