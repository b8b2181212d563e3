#pragma once

#include "edgeloop/link/limits.hpp"

#include <cstddef>
#include <string>

namespace edgeloop {

/// How much peers may send, by their key or, without one, by their session.
class Intake {
  public:
    /// @return false for what is too much, and is dropped.
    bool takes(const std::string& who, std::size_t bytes, double now) {
        return messages_.spend(who, 1, now) && bytes_.spend(who, static_cast<double>(bytes), now);
    }
    /// Of what cannot be understood. @return false when the session has to end.
    bool forgives(const std::string& session, double now) { return bad_.spend(session, 1, now); }

  private:
    Budgets messages_{limits::messages}, bytes_{limits::message_bytes}, bad_{limits::undecodable};
};

}  // namespace edgeloop
