#include "edgeloop/accelerator/cost.hpp"
#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

namespace edgeloop::accelerator {
namespace {

using inference::Layer;

/// A buffer between two modules: when its results can be taken, and when they were.
class Buffer {
  public:
    explicit Buffer(int capacity) : capacity_(capacity) {}

    void put(std::int64_t visible) { visible_.push_back(visible); }
    [[nodiscard]] bool has_next() const { return !visible_.empty(); }
    [[nodiscard]] std::int64_t next() const { return visible_.front(); }
    void take(std::int64_t cycle) {
        visible_.pop_front();
        taken_.push_back(cycle);
    }
    /// Whether it is known from when on there is room for the next result.
    [[nodiscard]] bool knows_room() const { return put_ < capacity_ || !taken_.empty(); }
    /// First cycle in which the module counts that room; to be asked once for each result.
    [[nodiscard]] std::int64_t room() const { return put_ < capacity_ ? 0 : taken_.front() + 1; }
    void use_room() {
        if (put_ < capacity_)
            ++put_;
        else
            taken_.pop_front();
    }

    /// Cycles of which no room was used yet.
    [[nodiscard]] const std::deque<std::int64_t>& taken() const { return taken_; }

  private:
    int capacity_;
    int put_ = 0;  ///< results before the first had to be taken
    std::deque<std::int64_t> visible_, taken_;
};

/// One module at work: goes on as far as its neighbours' cycles are known.
class Worker {
  public:
    Worker(const Unit& unit, Buffer& input, Buffer& output)
        : unit_(unit), input_(input), output_(output) {}
    virtual ~Worker() = default;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    /// One step; false: it has to wait for a neighbour.
    [[nodiscard]] virtual bool step() = 0;

  protected:
    const Unit& unit_;
    Buffer& input_;
    Buffer& output_;
};

/// Place in a grid, in the order of its positions.
class Walk {
  public:
    explicit Walk(const inference::Triple& grid) : grid_(grid) {}
    [[nodiscard]] const inference::Triple& at() const { return at_; }
    void next() {
        for (std::size_t d = 3; d-- > 0;) {
            if (++at_[d] < grid_[d]) return;
            at_[d] = 0;
        }
    }

  private:
    inference::Triple grid_, at_{0, 0, 0};
};

inference::Triple padded(const inference::Triple& grid, const Layer& layer) {
    inference::Triple result = grid;
    for (std::size_t d = 0; d < 3; ++d) result[d] += layer.before[d] + layer.after[d];
    return result;
}

/// Shifts padded positions into its window; where that is whole, the folds of its product follow.
class WindowWorker final : public Worker {
  public:
    WindowWorker(const Unit& unit, const Layer& layer, Buffer& input, Buffer& output)
        : Worker(unit, input, output), layer_(layer), walk_(padded(unit.input.shape.grid, layer)) {}

    bool step() override {
        if (is_whole_) return multiply();
        std::int64_t cycle = free_;
        if (is_real()) {
            if (!input_.has_next()) return false;
            cycle = std::max(cycle, input_.next());
            input_.take(cycle);
        }
        is_whole_ = ends_window();
        free_ = cycle + 1;
        walk_.next();
        return true;
    }

  private:
    [[nodiscard]] bool multiply() {
        if (!output_.knows_room()) return false;
        const std::int64_t start = std::max(free_, output_.room());
        output_.use_room();
        const int folds = unit_.folding.cycles();
        output_.put(start + folds + unit_.depth);
        free_ = start + folds - 1;  // the next shift is in the cycle of the last fold
        is_whole_ = false;
        return true;
    }
    [[nodiscard]] bool is_real() const {
        for (std::size_t d = 0; d < 3; ++d) {
            const std::int32_t at = walk_.at()[d] - layer_.before[d];
            if (at < 0 || at >= unit_.input.shape.grid[d]) return false;
        }
        return true;
    }
    [[nodiscard]] bool ends_window() const {
        for (std::size_t d = 0; d < 3; ++d) {
            const std::int32_t first = walk_.at()[d] - (layer_.kernel[d] - 1);
            if (first < 0 || first % layer_.stride[d] != 0) return false;
        }
        return true;
    }

    const Layer& layer_;
    Walk walk_;
    bool is_whole_ = false;
    std::int64_t free_ = 0;  ///< first cycle of the next shift, or of the next product
};

/// Multiplies what lies in its neighbour's buffer, and takes it with the last fold.
class ProductWorker final : public Worker {
  public:
    using Worker::Worker;

    bool step() override {
        if (!input_.has_next()) return false;
        const bool ends = position_ + 1 == unit_.positions;
        std::int64_t start = std::max(free_, input_.next());
        if (ends) {
            if (!output_.knows_room()) return false;
            start = std::max(start, output_.room());
            output_.use_room();
        }
        free_ = start + unit_.folding.cycles();
        input_.take(free_ - 1);
        if (ends) output_.put(free_ + unit_.depth);
        position_ = ends ? 0 : position_ + 1;
        return true;
    }

  private:
    std::int64_t free_ = 0;
    std::int64_t position_ = 0;
};

class PoolWorker final : public Worker {
  public:
    PoolWorker(const Unit& unit, const Layer& layer, Buffer& input, Buffer& output)
        : Worker(unit, input, output), layer_(layer), walk_(unit.input.shape.grid) {}

    bool step() override {
        if (!input_.has_next()) return false;
        std::int64_t cycle = std::max(free_, input_.next());
        const bool ends = ends_window();
        if (ends) {
            if (!output_.knows_room()) return false;
            cycle = std::max(cycle, output_.room());
            output_.use_room();
            output_.put(cycle + 1);
        }
        input_.take(cycle);
        free_ = cycle + 1;
        walk_.next();
        return true;
    }

  private:
    [[nodiscard]] bool ends_window() const {
        for (std::size_t d = 0; d < 3; ++d) {
            const std::int32_t k = layer_.kernel[d], at = walk_.at()[d];
            if (at % k != k - 1 || at / k >= unit_.output.shape.grid[d]) return false;
        }
        return true;
    }

    const Layer& layer_;
    Walk walk_;
    std::int64_t free_ = 0;
};

/// Adds all positions up, then makes the means one channel after the other.
class MeanWorker final : public Worker {
  public:
    using Worker::Worker;

    bool step() override {
        if (position_ == unit_.input.shape.positions()) return divide();
        if (!input_.has_next()) return false;
        const std::int64_t cycle = std::max(free_, input_.next());
        input_.take(cycle);
        free_ = cycle + 1;
        ++position_;
        return true;
    }

  private:
    [[nodiscard]] bool divide() {
        if (!output_.knows_room()) return false;
        const std::int64_t start = std::max(free_, output_.room());
        output_.use_room();
        free_ = start + unit_.input.shape.channels;
        output_.put(free_ + unit_.depth);
        position_ = 0;
        return true;
    }

    std::int64_t free_ = 0, position_ = 0;
};

std::unique_ptr<Worker> worker_of(const Circuit& circuit, const Unit& unit, Buffer& input,
                                  Buffer& output) {
    const Layer& layer = circuit.graph.layers[unit.layer];
    switch (unit.kind) {
        case UnitKind::window:
            return std::make_unique<WindowWorker>(unit, layer, input, output);
        case UnitKind::product:
            return std::make_unique<ProductWorker>(unit, input, output);
        case UnitKind::max_pool:
            return std::make_unique<PoolWorker>(unit, layer, input, output);
        case UnitKind::mean:
            break;
    }
    return std::make_unique<MeanWorker>(unit, input, output);
}

}  // namespace

Timing timing_of(const Circuit& circuit) {
    constexpr std::size_t clips = 3;
    const auto pixels = static_cast<std::size_t>(circuit.graph.input.positions());
    std::deque<Buffer> buffers;  // of the source, then of each module
    buffers.emplace_back(1);
    for (std::size_t i = 0; i < clips * pixels; ++i) buffers.front().put(0);
    std::vector<std::unique_ptr<Worker>> workers;
    for (const Unit& unit : circuit.units) {
        buffers.emplace_back(unit.buffer);
        workers.push_back(worker_of(circuit, unit, buffers[buffers.size() - 2], buffers.back()));
    }
    std::vector<std::int64_t> answers;
    while (answers.size() < clips) {
        bool went_on = false;
        for (std::size_t i = workers.size(); i-- > 0;)
            while (workers[i]->step()) went_on = true;
        EDGELOOP_EXPECT(went_on, "a pipeline that stands still");
        for (; buffers.back().has_next(); buffers.back().take(answers.back()))
            answers.push_back(buffers.back().next());  // they are taken at once
    }
    const std::deque<std::int64_t>& taken = buffers.front().taken();
    return {answers[0] - taken[pixels - 1], answers[2] - answers[1], answers[0] - taken[0]};
}

}  // namespace edgeloop::accelerator
