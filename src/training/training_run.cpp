#include "training_run.hpp"

#include "device_choice.hpp"
#include "memory_budget.hpp"
#include "model/memory_meter.hpp"
#include "model/mixed_precision.hpp"
#include "model/rounding.hpp"
#include "model/weights_file.hpp"
#include "optimization.hpp"
#include "optimizer_state.hpp"
#include "quantised_training.hpp"
#include "rank_settling.hpp"

#include "edgeloop/architecture/counts.hpp"
#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/data/catalogue.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace edgeloop {
namespace {

int batch_of_rank(const TrainingSettings& settings, const ArchitectureSpec& spec,
                  const Communicator& group) {
    const int sharers = settings.batch_ranks;
    if (sharers == 0) return spec.training.batch;
    return (spec.training.batch * sharers + group.size() - 1) / group.size();
}

/// Throws the way an allocation would, before the system's memory is gone.
void check_memory(const TrainingSettings& settings, const ArchitectureSpec& spec, int batch) {
    const double limit = settings.memory_limit_mib > 0
                             ? settings.memory_limit_mib * bytes_per_mib
                             : memory_share_bytes(MpiSession::ranks_on_node());
    TrainingRecipe recipe = spec.training;
    recipe.batch = batch;
    const double needed = training_bytes(count(spec), recipe);
    if (needed > limit)
        throw ConfigError(
            fmt::format("out of memory: a batch of {} needs about {:.0f} MiB, a rank "
                        "may use {:.0f} MiB",
                        recipe.batch_text(), needed / bytes_per_mib, limit / bytes_per_mib));
}

std::shared_ptr<Network> build(const TrainingSettings& settings, const ArchitectureSpec& spec,
                               int batch, std::uint64_t seed, const Catalogue& catalogue,
                               torch::Device device) {
    if (device.is_cpu()) check_memory(settings, spec, batch);
    const std::vector<Target>& targets = catalogue.targets;
    std::shared_ptr<Network> network = make_network(spec, seed, int(targets.size()));
    const std::vector<double>& means = catalogue.part(SplitPart::train).targets.mean;
    if (settings.start_at_mean && means.size() == targets.size()) {
        const torch::NoGradGuard no_grad;
        for (std::size_t i = 0; i < targets.size(); ++i)
            network->output_bias()[std::int64_t(i)] = means[i] / targets[i].scale;
    }
    network->set_kernels(kernels_for(settings, device));
    network->to(device);
    return network;
}

/// What changes a result by rounding: part of a training's identity.
std::string numerics(const TrainingSettings& settings, torch::Device device) {
    std::string text;
    if (settings.mixed_precision) text += " mixed";
    if (device.is_cuda()) text += " cuda";
    // The usual kernels are not named: states of older runs, which had no others, still fit.
    const Kernels kernels = kernels_for(settings, device);
    const bool usual = kernels == kernels_for(TrainingSettings(), device);
    return usual ? text : text + " kernels " + to_string(kernels);
}

/// Which epoch is given, and whether an average may be: part of a training's identity where it is
/// not as it always was.
std::string choice_of_epoch(const TrainingSettings& settings) {
    std::string text;
    if (settings.keep_best_epoch) text += " best-epoch";
    if (settings.average_decay > 0) text += fmt::format(" average {}", settings.average_decay);
    return text;
}

LoaderOptions loader_options(const TrainingSettings& settings, const ArchitectureSpec& spec,
                             const Communicator& group, SplitPart part) {
    const bool training = part == SplitPart::train;
    LoaderOptions options;
    options.part = part;
    options.window = {spec.clip.frames, spec.clip.stride, settings.margin, settings.short_lines,
                      settings.shortest_line};
    options.windows_per_line = settings.validation_windows;
    options.batch = batch_of_rank(settings, spec, group);
    options.seed = settings.data_seed;
    options.rank = group.rank();
    options.ranks = group.size();
    options.max_samples = training ? settings.max_train_samples : settings.max_validation_samples;
    options.prefetch = settings.prefetch;
    options.augment = training && settings.augment;
    options.side = spec.clip.side;
    options.normalisation = {spec.clip.mean, spec.clip.deviation};
    options.clip_memory = [pinned = choose_device(settings.device).is_cuda()](std::size_t count) {
        const torch::Tensor memory =
            torch::empty(std::int64_t(count), torch::TensorOptions().pinned_memory(pinned));
        return std::shared_ptr<float>(memory.data_ptr<float>(), [memory](float*) {});
    };
    return options;
}

}  // namespace

TrainingRun::TrainingRun(const TrainingSettings& settings, std::shared_ptr<const Dataset> dataset,
                         const Candidate& candidate, const Communicator& group)
    : settings_(settings),
      dataset_(std::move(dataset)),
      candidate_(candidate),
      spec_(candidate.design->spec()),
      group_(group),
      device_(choose_device(settings.device)),
      epochs_(candidate.epochs > 0 ? candidate.epochs : spec_.training.epochs),
      network_(build(settings, spec_, batch_of_rank(settings, spec_, group), candidate.seed,
                     dataset_->catalogue(), device_)),
      train_(dataset_, loader_options(settings, spec_, group, SplitPart::train)),
      validation_(dataset_, loader_options(settings, spec_, group, SplitPart::validation)),
      sums_(dataset_->catalogue().targets) {
    adaptive_epochs_ = spec_.low_rank.adaptive_epochs(spec_.training.epochs, 0);
    ranks_open_ = adaptive_epochs_ > 0;
    if (ranks_open_)
        adaptation_ = std::make_unique<RankAdaptation>(spec_.low_rank,
                                                       open_layers(*network_, spec_.low_rank));
    make_optimiser();
    for (const Loader* part : {&train_, &validation_})
        if (part->total_samples() == 0)
            throw ConfigError(
                fmt::format("the dataset has no {} samples",
                            part == &train_ ? "training" : "validation"),
                fmt::format(
                    "{} lines are too short for {} frames with stride {} and a margin of {}",
                    part->lines_left_out(), spec_.clip.frames, spec_.clip.stride, settings.margin),
                "use shorter windows, a smaller margin, or longer lines");
}

void TrainingRun::make_optimiser() {
    averager_.reset();  // before the parameters that it watches
    parameters_ = network_->parameters();
    optimizer_ = optimizer_of(spec_.training, *network_);
    averager_.emplace(parameters_, group_, settings_.exchange);
    held_bytes_ = 0;
    has_stepped_ = false;
}

Weights TrainingRun::weights() const {
    Weights copies = weights_of(*network_);
    for (auto& [name, tensor] : copies) tensor = tensor.clone();
    return copies;
}

void TrainingRun::set_weights(const Weights& host) {
    load_weights(*network_, host, "weights of the leader");
}

void TrainingRun::start_epoch(int epoch, std::size_t step) {
    epoch_ = epoch;
    step_ = step;
    network_->train();
    set_rounding(*network_, epoch < first_rounding_epoch() ? Rounding::off : Rounding::on);
    train_.start_epoch(epoch, step);
}

void TrainingRun::seed_dropout() const {
    const auto place = (std::uint64_t(step_) << 16) | std::uint64_t(group_.rank());
    torch::manual_seed(
        RandomStream(candidate_.seed, "dropout", std::uint32_t(epoch_), place).next_u64());
}

torch::Tensor TrainingRun::predict(std::size_t first, std::size_t count) {
    const MixedPrecision mixed(device_.type(), settings_.mixed_precision);
    const std::int64_t side = spec_.clip.side, values = spec_.clip.frames * side * side;
    // Without waiting for the copy: the batch is not filled again before its answers are here.
    const torch::Tensor clips =
        torch::from_blob(batch_.clips.get() + std::int64_t(first) * values,
                         {std::int64_t(count), 1, spec_.clip.frames, side, side})
            .to(device_, true);
    return network_->forward(clips).to(torch::kFloat32);
}

void TrainingRun::for_each_part(const std::function<void(std::size_t, std::size_t)>& pass) const {
    const auto at_once = std::size_t(spec_.training.at_once(int(batch_.samples)));
    for (std::size_t first = 0; first < batch_.samples; first += at_once)
        pass(first, std::min(at_once, batch_.samples - first));
}

void TrainingRun::forward_and_backward(StepTotals& own) {
    if (!train_.next(batch_)) throw LogicError("the training part ended before its last step");
    own.samples = double(batch_.samples);
    if (batch_.samples == 0) return;
    seed_dropout();
    const auto outputs = std::int64_t(sums_.targets.size());
    const torch::Tensor targets =
        torch::from_blob(batch_.targets.data(), {std::int64_t(batch_.samples), outputs})
            .to(device_);
    for_each_part([&](std::size_t first, std::size_t count) {
        averager_->expect_more(first + count < batch_.samples);
        const torch::Tensor expected = targets.narrow(0, std::int64_t(first), std::int64_t(count));
        const torch::Tensor loss = (predict(first, count) - expected).square().sum() / outputs;
        own.loss_sum += loss.item<double>();
        loss.backward();
    });
}

void TrainingRun::compute_gradients(StepTotals& own) {
    averager_->begin();
    {
        const MemoryMeter meter;
        forward_and_backward(own);
        step_peak_ = double(meter.peak_bytes());
    }
    averager_->stage();
}

StepTotals TrainingRun::exchange_gradients(const StepTotals& own) {
    ++step_;
    return averager_->exchange(own);
}

void TrainingRun::update_weights(const StepTotals& totals, double rate) {
    averager_->average(totals);
    if (adaptation_) adapt_ranks(totals);
    // In the middle of the step that has just been counted.
    const double in_epoch = (double(step_) - 0.5) / double(train_steps());
    const double now = rate > 0 ? rate : learning_rate(spec_.training, epoch_ + in_epoch);
    set_learning_rate(*optimizer_, now);
    if (adaptation_) set_scale_rate(*optimizer_, *network_, scale_rate * now);
    if (settings_.clip_norm > 0)
        torch::nn::utils::clip_grad_norm_(parameters_, settings_.clip_norm);
    optimizer_->step();
    if (adaptation_) adaptation_->after_step(now);
    if (settings_.average_decay > 0) update_average();
    note_memory();
}

void TrainingRun::note_memory() {
    if (held_bytes_ == 0) {
        for (const torch::Tensor& parameter : parameters_)
            held_bytes_ += 2 * double(parameter.nbytes());  // and its gradient
        for (const torch::Tensor& average : averages_) held_bytes_ += double(average.nbytes());
        for (const auto& [name, tensor] : state_of(*optimizer_).tensors)
            held_bytes_ += double(tensor.nbytes());
    }
    double& peak = has_stepped_ ? peak_bytes_ : first_peak_;
    peak = std::max(peak, held_bytes_ + step_peak_);
    has_stepped_ = true;
}

double TrainingRun::last_rate(int epoch) const {
    return learning_rate(spec_.training, epoch + 1 - 0.5 / double(train_steps()));
}

void TrainingRun::update_average() {
    const torch::NoGradGuard no_grad;
    const auto steps = double(epoch_) * double(train_steps()) + double(step_);
    const double decay = std::min(settings_.average_decay, (1 + steps) / (10 + steps));
    if (averages_.empty())
        for (const torch::Tensor& parameter : parameters_)
            averages_.push_back(parameter.detach().clone());
    for (std::size_t i = 0; i < parameters_.size(); ++i)
        averages_[i].lerp_(parameters_[i].detach(), 1 - decay);
}

void TrainingRun::use_average(bool average) {
    if (average == averages_in_use_ || averages_.empty()) return;
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const torch::Tensor other = parameters_[i].detach().clone();
        parameters_[i].copy_(averages_[i]);
        averages_[i].copy_(other);
    }
    averages_in_use_ = average;
}

void TrainingRun::start_validation() {
    sums_ = RegressionSums(dataset_->catalogue().targets);
    network_->eval();
    validation_.start_epoch(0);
}

void TrainingRun::validation_step() {
    if (!validation_.next(batch_))
        throw LogicError("the validation part ended before its last step");
    if (batch_.samples == 0) return;
    const torch::NoGradGuard no_grad;
    const std::size_t outputs = sums_.targets.size();
    for_each_part([&](std::size_t first, std::size_t count) {
        const torch::Tensor predicted = predict(first, count).to(torch::kCPU).contiguous();
        sums_.add(predicted.data_ptr<float>(), batch_.targets.data() + first * outputs, count);
    });
}

std::string TrainingRun::identity() const {
    return digest(
               fmt::format(
                   "{} seed {} ranks {} batch {} data {} {} {} {} augment {} clip {} patience {}{}",
                   candidate_.design->text(), candidate_.seed, group_.size(),
                   batch_of_rank(settings_, spec_, group_), dataset_->digest(), settings_.data_seed,
                   settings_.max_train_samples, settings_.max_validation_samples, settings_.augment,
                   settings_.clip_norm, settings_.patience_epochs,
                   numerics(settings_, device_) + choice_of_epoch(settings_) +
                       settings_.conditions))
        .hex();
}

std::string TrainingRun::save(const TrainingProgress& progress, const Weights& best) {
    use_average(false);
    Weights average;
    const auto named = network_->named_parameters();
    for (std::size_t i = 0; i < averages_.size(); ++i)
        average[named[i].key()] = averages_[i].to(torch::kCPU);
    TrainingProgress complete = progress;
    complete.peak_bytes = peak_bytes_;
    if (adaptation_) complete.adaptation = adaptation_->progress;
    return encode_training_state(identity(), complete, best, average, *network_, *optimizer_);
}

RestoredTraining TrainingRun::restore(const std::string& bytes, const std::string& where) {
    const std::vector<Ranks> ranks = ranks_in_state(bytes, identity(), where);
    if (!ranks.empty() && ranks_open_) rebuild(checked_ranks(spec_, ranks, where));
    RestoredTraining restored =
        restore_training_state(bytes, identity(), *network_, *optimizer_, where);
    if (adaptation_) adaptation_->progress = restored.progress.adaptation;
    peak_bytes_ = std::max(peak_bytes_, restored.progress.peak_bytes);
    averages_.clear();
    if (restored.average.empty()) return restored;
    for (const auto& item : network_->named_parameters()) {
        const auto found = restored.average.find(item.key());
        if (found == restored.average.end() || found->second.sizes() != item.value().sizes())
            throw CorruptState(where + " cannot be read", "its average is of another network");
        averages_.push_back(found->second.to(device_));
    }
    return restored;
}

}  // namespace edgeloop
