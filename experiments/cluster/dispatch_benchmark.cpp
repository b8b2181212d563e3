// Candidates a second through rank 0 when they take no time, and the coordinator's cost of one that
// takes long; then what ranks cost that have nothing to do. Prints one JSON object.
//   mpirun -n 3 dispatch_benchmark [candidates] [milliseconds of one] [seconds of idling]
#include "benchmark_main.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/dispatch/group_evaluator.hpp"
#include "edgeloop/dispatch/worker.hpp"

#include <chrono>
#include <ctime>
#include <thread>

namespace edgeloop {
namespace {

double cpu_seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }

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

/// Share of a core that waiting takes.
double idle(Evaluator& evaluator, double seconds) {
    const double start = steady_seconds();
    const double cpu = cpu_seconds();
    BackOff pause;
    while (steady_seconds() < start + seconds) {
        (void)evaluator.poll();
        pause.wait();
    }
    return (cpu_seconds() - cpu) / (steady_seconds() - start);
}

/// A worker that waits for `count` candidates and then for the end. @return its share of a core
/// after the last one.
double serve(const Communicator& world, const GroupPlan& plan, long milliseconds) {
    double cpu = cpu_seconds();
    double since = steady_seconds();
    serve_candidates(world, plan,
                     [&](const Candidate& one, const Communicator&, const CancelToken&) {
                         if (milliseconds > 0)
                             std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
                         Outcome outcome;
                         outcome.metrics = {{"f1", one.genome.genes[0]}, {"f2", 1.0}};
                         cpu = cpu_seconds();
                         since = steady_seconds();
                         return outcome;
                     });
    return (cpu_seconds() - cpu) / (steady_seconds() - since);
}

Json benchmark(const Numbers& numbers, const Communicator& world) {
    const long count = numbers.at(1, 100000);
    const long milliseconds = numbers.at(2, 0);
    const GroupPlan plan = plan_groups(std::vector<RankBinding>(world.size()), 1);
    Json result;
    double worker_share = 0;
    if (world.rank() == 0) {
        GroupEvaluator evaluator(world, plan);
        const double cpu_before = cpu_seconds();
        const double seconds = evaluate(evaluator, CandidateId(count));
        const double cpu = cpu_seconds() - cpu_before;
        const auto groups = double(plan.groups.size());
        result = {{"ranks", world.size()},
                  {"candidates", count},
                  {"milliseconds_of_one", milliseconds},
                  {"candidates_per_s", double(count) / seconds},
                  {"overhead_ms_per_candidate",
                   1e3 * seconds * groups / double(count) - double(milliseconds)},
                  {"coordinator_cpu_share", cpu / seconds},
                  {"idle_coordinator_cpu_share", idle(evaluator, double(numbers.at(3, 5)))}};
    } else {
        worker_share = serve(world, plan, milliseconds);
    }
    result["idle_worker_cpu_share"] = world.all_reduce(worker_share, Reduction::max);
    return result;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::benchmark_main(argc, argv, edgeloop::benchmark);
}
