#pragma once

#include "edgeloop/search/coordinator.hpp"

#include <string>

namespace edgeloop::apps {

/// "1:02:03" or "2:03".
[[nodiscard]] std::string duration(double seconds);

/// One line of progress, e.g.
/// "12/40 designs | best val_rmse 0.0912 | fastest 0.31 ms | hypervolume 0.553 | ETA 1:12 | edge: 1
/// device".
[[nodiscard]] std::string progress_line(const Progress& progress, const Goals& goals);

/// Shows progress on stdout: a line that rewrites itself on a terminal, a new line every few
/// seconds elsewhere.
class ProgressPrinter {
  public:
    explicit ProgressPrinter(Goals goals);
    void operator()(const Progress& progress);

  private:
    Goals goals_;
    bool terminal_;
    double next_ = 0;
    std::size_t width_ = 0;
};

/// The front as a table for people: id, objectives, genes; the longest fronts are cut.
[[nodiscard]] std::string front_table(const std::vector<ArchiveMember>& front, const Goals& goals,
                                      const SearchSpace& space);

}  // namespace edgeloop::apps
