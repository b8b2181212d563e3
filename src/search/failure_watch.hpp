#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace edgeloop {

/// Notices a run in which nearly everything fails for one reason, so that it does not spend its
/// whole budget on that: the first 8 ends of this start, or 18 of the last 20.
class FailureWatch {
  public:
    void note(Status status, const std::string& reason);
    /// What fails and how often, or nothing.
    [[nodiscard]] std::optional<std::string> diagnosis() const;

  private:
    struct End {
        std::string kind;    ///< reason without its numbers; empty: no failure
        std::string reason;  ///< as given
    };

    std::deque<End> last_;  ///< newest at the end
    std::size_t ends_ = 0;
};

}  // namespace edgeloop
