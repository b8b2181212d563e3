#include "training_state.hpp"

#include "model/weights_file.hpp"

#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <sstream>

namespace edgeloop {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainingProgress, epoch, step, samples, loss_sum, validated,
                                   plateau_rmse, epochs_on_plateau, best_epoch, best_metrics);

namespace {

// Version 2: one line of JSON with identity, progress and lengths; then LibTorch's archive of the
// network, the best weights so far as safetensors (maybe none), and LibTorch's archive of the
// optimiser. Version 1 knew no best weights.
constexpr EnvelopeFormat format{"ELTS", 2};

template <class Part>
std::string archive_of(const Part& part) {
    torch::serialize::OutputArchive archive;
    part.save(archive);
    std::ostringstream stream;
    archive.save_to(stream);
    return stream.str();
}

template <class Part>
void restore(Part& part, const std::string& bytes) {
    torch::serialize::InputArchive archive;
    std::istringstream stream(bytes);
    archive.load_from(stream);
    part.load(archive);
}

}  // namespace

std::string encode_training_state(const std::string& identity, const TrainingProgress& progress,
                                  const Weights& best, const torch::nn::Module& network,
                                  const torch::optim::Optimizer& optimizer) {
    const std::string weights = archive_of(network);
    const std::string best_weights = best.empty() ? std::string() : encode_weights(best);
    const Json head = {{"identity", identity},
                       {"progress", progress},
                       {"network_bytes", weights.size()},
                       {"best_bytes", best_weights.size()}};
    return seal(format,
                {0, 0, head.dump() + "\n" + weights + best_weights + archive_of(optimizer)});
}

RestoredTraining restore_training_state(const std::string& bytes, const std::string& identity,
                                        torch::nn::Module& network,
                                        torch::optim::Optimizer& optimizer,
                                        const std::string& where) {
    const std::string payload = open_envelope(format, bytes, where).payload;
    try {
        const std::size_t line = payload.find('\n');
        const Json head = Json::parse(payload.substr(0, line));
        if (head.at("identity").get<std::string>() != identity)
            throw CorruptState(where + " belongs to another candidate or other settings");
        RestoredTraining restored{head.at("progress").get<TrainingProgress>(), {}};
        const std::size_t begin = line + 1;
        const auto length = head.at("network_bytes").get<std::size_t>();
        const auto best = head.at("best_bytes").get<std::size_t>();
        restore(network, payload.substr(begin, length));
        if (best > 0) restored.best = decode_weights(payload.substr(begin + length, best), where);
        restore(optimizer, payload.substr(begin + length + best));
        return restored;
    } catch (const Json::exception& error) {
        throw CorruptState(where + " cannot be read", error.what());
    } catch (const ConfigError& error) {
        throw CorruptState(where + " cannot be read", error.problem());
    } catch (const c10::Error& error) {
        throw CorruptState(where + " cannot be read", error.what_without_backtrace());
    }
}

}  // namespace edgeloop
