#pragma once

#include "edgeloop/data/progress.hpp"

#include <string>

namespace edgeloop {

/// Shows a job's progress with rate and time left on stderr: a line that redraws itself on a
/// terminal, a plain line every ten seconds elsewhere.
class ProgressBar {
  public:
    /// @param unit   what is counted, e.g. "frames".
    /// @param quiet  show nothing, e.g. on all ranks but one.
    ProgressBar(std::string title, std::string unit, bool quiet);

    void operator()(const JobProgress& progress);
    /// Ends the redrawn line.
    void finish();

  private:
    std::string title_, unit_;
    bool quiet_, terminal_, drawn_ = false;
    double start_s_, shown_s_;
};

}  // namespace edgeloop
