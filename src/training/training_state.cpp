#include "training_state.hpp"

#include "model/weights_file.hpp"
#include "optimizer_state.hpp"

#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/json.hpp"

#include <sstream>

namespace edgeloop {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EpochRecord, epoch, learning_rate, metrics, averaged_rmse);

namespace {

/// By name; those of older states had no curve.
template <class Progress, class Visit>
void fields(Progress& progress, const Visit& visit) {
    visit("epoch", progress.epoch);
    visit("step", progress.step);
    visit("samples", progress.samples);
    visit("loss_sum", progress.loss_sum);
    visit("validated", progress.validated);
    visit("plateau_rmse", progress.plateau_rmse);
    visit("epochs_on_plateau", progress.epochs_on_plateau);
    visit("best_epoch", progress.best_epoch);
    visit("best_metrics", progress.best_metrics);
}

Json json_of(const TrainingProgress& progress) {
    Json json = Json::object();
    fields(progress, [&](const char* name, const auto& value) { json[name] = value; });
    if (!progress.curve.empty()) json["curve"] = progress.curve;
    if (progress.adaptation.loss >= 0)
        json["adaptation"] = {progress.adaptation.loss, progress.adaptation.early_loss};
    if (!progress.ranks.empty()) {
        json["ranks"] = progress.ranks;
        json["shrink_change"] = progress.shrink_change;
    }
    if (progress.peak_bytes > 0) json["peak_bytes"] = progress.peak_bytes;
    return json;
}

TrainingProgress progress_from(const Json& json) {
    TrainingProgress progress;
    fields(progress, [&](const char* name, auto& value) { json.at(name).get_to(value); });
    if (json.contains("curve")) json.at("curve").get_to(progress.curve);
    if (json.contains("adaptation")) {
        json.at("adaptation").at(0).get_to(progress.adaptation.loss);
        json.at("adaptation").at(1).get_to(progress.adaptation.early_loss);
    }
    if (json.contains("ranks")) {
        json.at("ranks").get_to(progress.ranks);
        json.at("shrink_change").get_to(progress.shrink_change);
    }
    progress.peak_bytes = json.value("peak_bytes", 0.0);
    return progress;
}

// Version 3: one line of JSON with identity, progress, lengths and the optimiser's steps; then
// LibTorch's archive of the network, the best weights so far and the average of the weights as
// safetensors (maybe none), and the optimiser's tensors as safetensors. In version 2 the optimiser
// is LibTorch's archive, without steps in the first line. Version 1 knew no best weights. The
// identity tells a training with an average from those that older programs can go on with.
constexpr EnvelopeFormat format{"ELTS", 3}, format_2{"ELTS", 2};

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
                                  const Weights& best, const Weights& average,
                                  const torch::nn::Module& network,
                                  const torch::optim::Optimizer& optimizer) {
    const std::string weights = archive_of(network);
    const std::string best_weights = best.empty() ? std::string() : encode_weights(best);
    const std::string averages = average.empty() ? std::string() : encode_weights(average);
    const OptimizerState state = state_of(optimizer);
    Json head = {{"identity", identity},
                 {"progress", json_of(progress)},
                 {"network_bytes", weights.size()},
                 {"best_bytes", best_weights.size()},
                 {"optimizer_steps", state.steps}};
    if (!averages.empty()) head["average_bytes"] = averages.size();
    return seal(format, {0, 0,
                         head.dump() + "\n" + weights + best_weights + averages +
                             encode_weights(state.tensors)});
}

std::vector<Ranks> ranks_in_state(const std::string& bytes, const std::string& identity,
                                  const std::string& where) {
    if (envelope_version(format, bytes) == format_2.version) return {};
    const std::string payload = open_envelope(format, bytes, where).payload;
    try {
        const Json head = parse_kept_json(std::string_view(payload).substr(0, payload.find('\n')));
        if (head.at("identity").get<std::string>() != identity) return {};
        return head.at("progress").value("ranks", std::vector<Ranks>());
    } catch (const Json::exception& error) {
        throw CorruptState(where + " cannot be read", error.what());
    }
}

RestoredTraining restore_training_state(const std::string& bytes, const std::string& identity,
                                        torch::nn::Module& network,
                                        torch::optim::Optimizer& optimizer,
                                        const std::string& where) {
    const bool is_older = envelope_version(format, bytes) == format_2.version;
    const std::string payload = open_envelope(is_older ? format_2 : format, bytes, where).payload;
    try {
        const std::size_t line = payload.find('\n');
        const Json head = parse_kept_json(std::string_view(payload).substr(0, line));
        if (head.at("identity").get<std::string>() != identity)
            throw CorruptState(where + " belongs to another candidate or other settings");
        RestoredTraining restored{progress_from(head.at("progress")), {}, {}};
        const std::size_t begin = line + 1;
        const auto length = head.at("network_bytes").get<std::size_t>();
        const auto best = head.at("best_bytes").get<std::size_t>();
        const auto average = head.value("average_bytes", std::size_t(0));
        restore(network, payload.substr(begin, length));
        const std::size_t after = begin + length + best;
        if (best > 0) restored.best = decode_weights(payload.substr(begin + length, best), where);
        if (average > 0) restored.average = decode_weights(payload.substr(after, average), where);
        const std::string rest = payload.substr(after + average);
        if (is_older)
            set_state(optimizer, state_in_archive(rest));
        else
            set_state(optimizer, {head.at("optimizer_steps").get<std::vector<std::int64_t>>(),
                                  decode_weights(rest, where)});
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
