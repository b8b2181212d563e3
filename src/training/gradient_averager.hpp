#pragma once

#include "edgeloop/comm/communicator.hpp"
#include "edgeloop/training/trainer.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <torch/torch.h>

namespace edgeloop {

/// What one rank brings to a step, and after the exchange what all ranks brought together.
struct StepTotals {
    double samples = 0;
    double loss_sum = 0;   ///< sum over samples, not a mean
    double cancelled = 0;  ///< ranks that were asked to end
    double failed = 0;     ///< ranks on which the step failed
};

/// Averages gradients over the samples of a group.
///
/// Gradients live in flat buckets, filled in the order in which backward produces them: reverse
/// order of the parameters. A bucket travels as soon as it and all before it are full, so every
/// rank posts the same sums in the same order, whatever its graph did. The step's totals travel
/// with the last bucket and cost no message of their own.
///
/// Call order: begin(), backward of a loss that is a *sum* over samples, stage(), exchange(),
/// average(). Backward may be several, whose gradients are added up: expect_more() before each. A
/// rank without samples leaves out backward; one with a failure leaves out all but exchange(),
/// where all ranks meet and nothing but MPI can fail.
class GradientAverager {
  public:
    /// @param parameters    their .grad becomes a view into a bucket; must outlive this object.
    /// @param bucket_values  values of a bucket, at least; a parameter is never cut.
    GradientAverager(std::vector<torch::Tensor> parameters, Communicator group,
                     GradientExchange exchange, std::size_t bucket_values = std::size_t(1) << 20);
    ~GradientAverager();
    GradientAverager(const GradientAverager&) = delete;
    GradientAverager& operator=(const GradientAverager&) = delete;

    void begin();
    /// Whether the next backward is not the step's last: what it gives does not travel yet.
    void expect_more(bool more) { more_to_come_ = more; }
    /// Copies gradients of an accelerator to where they travel from; what went wrong there in the
    /// step shows here.
    void stage();
    /// Waits for all sums. Collective. @throws CommError.
    [[nodiscard]] StepTotals exchange(const StepTotals& own);
    /// Makes every .grad the mean over the samples of all ranks. REQUIRES: no rank failed.
    void average(const StepTotals& totals);

  private:
    struct Bucket {
        torch::Tensor values;     ///< flat, on the parameters' device
        torch::Tensor staging;    ///< the same on the host; `values` itself when not staged
        std::size_t missing = 0;  ///< gradients of this step that have not arrived
        std::size_t parameters = 0;
        std::optional<PendingSum> sum;
    };

    void fill_buckets(std::size_t bucket_values);
    void add_bucket(const std::vector<torch::Tensor>& members, bool last);
    void watch(const torch::Tensor& parameter, std::size_t bucket);
    void arrived(std::size_t bucket);
    void post_up_to(std::size_t end);

    std::vector<torch::Tensor> parameters_;
    Communicator group_;
    bool staged_, overlap_;
    std::vector<Bucket> buckets_;
    std::vector<std::shared_ptr<torch::autograd::Node>> accumulators_;
    std::size_t posted_ = 0;
    bool active_ = false, more_to_come_ = false;
};

}  // namespace edgeloop
