#pragma once

#include <string>

namespace edgeloop {

/// How a running candidate learns that it should end early, and tells where it is.
///
/// This base class never asks for an end; it is what tests and stand-alone training pass.
class CancelToken {
  public:
    CancelToken() = default;
    virtual ~CancelToken() = default;
    CancelToken(const CancelToken&) = delete;
    CancelToken& operator=(const CancelToken&) = delete;

    /// Cheap enough to ask at every training step. In a group of ranks only the leader may see the
    /// request, so the group has to agree before acting on it.
    [[nodiscard]] virtual bool requested() const { return false; }

    /// Whether the candidate will be wanted again, because the whole run stops rather than this
    /// candidate: what has been done so far is then worth saving. Asked after requested().
    [[nodiscard]] virtual bool will_resume() const { return false; }

    /// Notes progress, e.g. "training, epoch 1 step 17": proof of life, and what a watchdog prints
    /// when nothing follows.
    virtual void at(const std::string& /*place*/) const {}
};

}  // namespace edgeloop
