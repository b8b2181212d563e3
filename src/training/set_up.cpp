#include "set_up.hpp"

#include "edgeloop/data/dataset.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop {
namespace {

/// Ranks that see different copies of a dataset would train on neither.
void check_same_data(const Dataset& dataset, const Communicator& group) {
    const std::vector<std::string> digests = group.all_gather(dataset.digest());
    for (std::size_t rank = 1; rank < digests.size(); ++rank)
        if (digests[rank] != digests[0])
            throw EarlyEnd{
                Status::lost,
                fmt::format("ranks 0 and {} of the group see different copies of the dataset "
                            "({} and {})",
                            rank, digests[0], digests[rank])};
}

void share_weights(TrainingRun& run, const Communicator& group, PhaseGuard& guard) {
    if (group.size() == 1) return;
    Weights host;
    guard.run(Phase::share_weights, [&] { host = run.weights(); });
    for (auto& [name, values] : host)
        group.broadcast(values.data_ptr<float>(), std::size_t(values.numel()), 0);
    guard.attempt(Phase::share_weights, {}, [&] { run.set_weights(host); });
}

}  // namespace

std::unique_ptr<TrainingRun> set_up_training(const TrainingSettings& settings,
                                             std::shared_ptr<const Dataset>& dataset,
                                             const Candidate& candidate, const Communicator& group,
                                             PhaseGuard& guard) {
    guard.run(Phase::open_data, [&] {
        if (!dataset) dataset = std::make_shared<const Dataset>(settings.shards);
    });
    check_same_data(*dataset, group);
    std::unique_ptr<TrainingRun> run;
    guard.run(Phase::build,
              [&] { run = std::make_unique<TrainingRun>(settings, dataset, candidate, group); });
    share_weights(*run, group, guard);
    return run;
}

}  // namespace edgeloop
