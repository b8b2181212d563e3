#pragma once

#include "inference/reuse.hpp"
#include "inference/steps.hpp"

#include "edgeloop/inference/session.hpp"

#include <memory>
#include <vector>

namespace edgeloop::inference {

/// A graph as steps over memory that is laid out once. Padded tensors have memory of their own,
/// whose padding is written here and never again; others share memory with those that are not alive
/// at the same time.
struct Plan {
    Graph graph;
    std::vector<Place> places;  ///< of tensors; those that are fused away have no memory
    std::shared_ptr<std::byte[]> memory;
    Steps steps;
    std::size_t memory_bytes = 0, weight_bytes = 0, scratch_bytes = 0;
    Reuse clip_reuse;
    Work work;
    std::vector<std::string> kernels;  ///< what computes each layer, for whoever asks
};

/// @throws ConfigError  as kinds_of(); std::bad_alloc.
[[nodiscard]] std::unique_ptr<Plan> make_plan(Graph graph, const SessionOptions& options);

}  // namespace edgeloop::inference
