#include "training_state.hpp"

#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <sstream>

namespace edgeloop {
namespace {

// Version 1: one line of JSON with identity and progress, then LibTorch's archives of the network
// and of the optimiser, each preceded by its length in the JSON.
constexpr EnvelopeFormat format{"ELTS", 1};

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
                                  const torch::nn::Module& network,
                                  const torch::optim::Optimizer& optimizer) {
    const std::string weights = archive_of(network);
    const Json head = {{"identity", identity},
                       {"epoch", progress.epoch},
                       {"step", progress.step},
                       {"samples", progress.samples},
                       {"loss_sum", progress.loss_sum},
                       {"best_rmse", progress.best_rmse},
                       {"epochs_since_best", progress.epochs_since_best},
                       {"network_bytes", weights.size()}};
    return seal(format, {0, 0, head.dump() + "\n" + weights + archive_of(optimizer)});
}

TrainingProgress restore_training_state(const std::string& bytes, const std::string& identity,
                                        torch::nn::Module& network,
                                        torch::optim::Optimizer& optimizer,
                                        const std::string& where) {
    const std::string payload = open_envelope(format, bytes, where).payload;
    try {
        const std::size_t line = payload.find('\n');
        const Json head = Json::parse(payload.substr(0, line));
        if (head.at("identity").get<std::string>() != identity)
            throw CorruptState(where + " belongs to another candidate or other settings");
        const std::size_t begin = line + 1;
        const auto length = head.at("network_bytes").get<std::size_t>();
        restore(network, payload.substr(begin, length));
        restore(optimizer, payload.substr(begin + length));
        return {head.at("epoch").get<int>(),        head.at("step").get<std::size_t>(),
                head.at("samples").get<double>(),   head.at("loss_sum").get<double>(),
                head.at("best_rmse").get<double>(), head.at("epochs_since_best").get<int>()};
    } catch (const Json::exception& error) {
        throw CorruptState(where + " cannot be read", error.what());
    } catch (const c10::Error& error) {
        throw CorruptState(where + " cannot be read", error.what_without_backtrace());
    }
}

std::string training_state_path(const std::string& state_dir, CandidateId id) {
    return state_dir + "/" + std::to_string(id) + ".state";
}

}  // namespace edgeloop
