#pragma once

#include <functional>
#include <string>
#include <utility>

#include <torch/types.h>

namespace edgeloop {

/// While it lives, sees what each layer of a network gives that this thread runs; one at a time.
class LayerObserver {
  public:
    using See = std::function<void(const std::string& layer, const torch::Tensor& result)>;

    explicit LayerObserver(See see) : see_(std::move(see)) { current() = &see_; }
    ~LayerObserver() { current() = nullptr; }
    LayerObserver(const LayerObserver&) = delete;
    LayerObserver& operator=(const LayerObserver&) = delete;

    /// Called by the families with the name of a layer's parameters. @return the result.
    static torch::Tensor seen(const std::string& layer, torch::Tensor result) {
        if (current() != nullptr) (*current())(layer, result);
        return result;
    }
    /// Of a layer in a list, e.g. "stages.2".
    static torch::Tensor seen(const char* list, std::size_t index, torch::Tensor result) {
        if (current() != nullptr) (*current())(list + ("." + std::to_string(index)), result);
        return result;
    }

  private:
    static const See*& current() {
        thread_local const See* see = nullptr;
        return see;
    }

    See see_;
};

}  // namespace edgeloop
