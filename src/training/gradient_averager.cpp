#include "gradient_averager.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

namespace edgeloop {
namespace {

constexpr std::size_t totals_count = 4;

/// Calls back when the gradient of a parameter has been accumulated.
class ArrivalHook : public torch::autograd::FunctionPostHook {
  public:
    explicit ArrivalHook(std::function<void()> on_arrival) : on_arrival_(std::move(on_arrival)) {}

    torch::autograd::variable_list operator()(
        const torch::autograd::variable_list& outputs,
        const torch::autograd::variable_list& /*inputs*/) override {
        on_arrival_();
        return outputs;
    }

  private:
    std::function<void()> on_arrival_;
};

}  // namespace

GradientAverager::GradientAverager(std::vector<torch::Tensor> parameters, Communicator group,
                                   GradientExchange exchange, std::size_t bucket_values)
    : parameters_(std::move(parameters)),
      group_(std::move(group)),
      // Open MPI 4 and 5 crash in MPI_Iallreduce on device memory.
      staged_(exchange == GradientExchange::staged || !parameters_.front().device().is_cpu()),
      // Backward on a CUDA device runs in a thread of its own, which must not call MPI.
      overlap_(exchange == GradientExchange::overlapped && group_.size() > 1 && !staged_) {
    fill_buckets(bucket_values);
}

GradientAverager::~GradientAverager() {
    active_ = false;
    for (const torch::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

void GradientAverager::fill_buckets(std::size_t bucket_values) {
    std::vector<torch::Tensor> members;
    std::size_t size = 0;
    for (auto parameter = parameters_.rbegin(); parameter != parameters_.rend(); ++parameter) {
        members.push_back(*parameter);
        size += std::size_t(parameter->numel());
        const bool last = std::next(parameter) == parameters_.rend();
        if (size < bucket_values && !last) continue;
        add_bucket(members, last);
        members.clear();
        size = 0;
    }
}

void GradientAverager::add_bucket(const std::vector<torch::Tensor>& members, bool last) {
    std::int64_t size = last ? std::int64_t(totals_count) : 0;
    for (const torch::Tensor& member : members) size += member.numel();
    Bucket bucket;
    bucket.parameters = members.size();
    bucket.values = torch::zeros({size}, members.front().options().requires_grad(false));
    // Only a machine with a device can pin memory for it.
    const auto on_host = torch::TensorOptions().pinned_memory(!bucket.values.device().is_cpu());
    bucket.staging = staged_ ? torch::zeros({size}, on_host) : bucket.values;
    std::int64_t offset = 0;
    for (const torch::Tensor& member : members) {
        member.mutable_grad() =
            bucket.values.narrow(0, offset, member.numel()).view(member.sizes());
        offset += member.numel();
        if (overlap_) watch(member, buckets_.size());
    }
    buckets_.push_back(std::move(bucket));
}

void GradientAverager::watch(const torch::Tensor& parameter, std::size_t bucket) {
    const auto accumulator = torch::autograd::impl::grad_accumulator(parameter);
    accumulator->add_post_hook(std::make_unique<ArrivalHook>([this, bucket] { arrived(bucket); }));
    accumulators_.push_back(accumulator);
}

void GradientAverager::begin() {
    for (Bucket& bucket : buckets_) {
        bucket.values.zero_();
        bucket.missing = bucket.parameters;
        bucket.sum.reset();
    }
    active_ = true;
    more_to_come_ = false;
}

void GradientAverager::arrived(std::size_t index) {
    if (!active_ || more_to_come_) return;
    --buckets_[index].missing;
    // The last bucket waits for exchange(): it carries the totals.
    std::size_t end = posted_;
    while (end + 1 < buckets_.size() && buckets_[end].missing == 0) ++end;
    post_up_to(end);
    // Sums progress only inside MPI calls.
    if (posted_ > 0) (void)buckets_[posted_ - 1].sum->done();
}

void GradientAverager::post_up_to(std::size_t end) {
    for (; posted_ < end; ++posted_) {
        const torch::Tensor& values = buckets_[posted_].staging;
        buckets_[posted_].sum =
            group_.start_sum(values.data_ptr<float>(), std::size_t(values.numel()));
    }
}

void GradientAverager::stage() {
    const torch::NoGradGuard no_grad;
    for (Bucket& bucket : buckets_)
        if (staged_ && group_.size() > 1) bucket.staging.copy_(bucket.values);
}

StepTotals GradientAverager::exchange(const StepTotals& own) {
    active_ = false;
    // Behind the last bucket's gradients, on the host.
    const torch::Tensor& last = buckets_.back().staging;
    float* const totals = last.data_ptr<float>() + last.numel() - totals_count;
    const std::array<double, totals_count> values{own.samples, own.loss_sum, own.cancelled,
                                                  own.failed};
    std::copy(values.begin(), values.end(), totals);
    if (group_.size() > 1) {
        post_up_to(buckets_.size());
        for (Bucket& bucket : buckets_) bucket.sum->wait();
    }
    posted_ = 0;
    return {totals[0], totals[1], totals[2], totals[3]};
}

void GradientAverager::average(const StepTotals& totals) {
    if (totals.samples == 0) return;
    const torch::NoGradGuard no_grad;
    for (Bucket& bucket : buckets_) {
        if (staged_ && group_.size() > 1) bucket.values.copy_(bucket.staging);
        bucket.values.div_(totals.samples);
    }
}

}  // namespace edgeloop
