#pragma once

#include "edgeloop/core/text.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace edgeloop::test {

/// A table of 81 made-up designs, tab-separated: two operations of text, depth and width, and what
/// follows from the work w = depth * (a0 + a1) * width / 8, where an operation counts a = 0.1
/// (none), 1 (conv1) or 3 (conv3):
/// error after 200 epochs 5 + 60 / (1 + w^0.7) + a0 / 10, after 12 epochs 12 * sqrt(depth) more;
/// latency 0.2 + w / 20 ms; parameters depth * width^2 * (1 + a0 + a1); an epoch takes depth / 2 s.
inline std::string made_up_table(const std::string& line_end = "\n") {
    std::string text =
        "op0\top1\tdepth\twidth\terror_e12\terror_e200\tedge_ms\tparameters\ts" + line_end;
    const std::vector<std::pair<const char*, double>> operations{
        {"none", 0.1}, {"conv1", 1}, {"conv3", 3}};
    for (const auto& [op0, a0] : operations)
        for (const auto& [op1, a1] : operations)
            for (const double depth : {1, 2, 4})
                for (const double width : {8, 16, 32}) {
                    const double work = depth * (a0 + a1) * width / 8;
                    const double error = 5 + 60 / (1 + std::pow(work, 0.7)) + a0 / 10;
                    text += fmt::format("{}\t{}\t{}\t{}\t{:.4f}\t{:.4f}\t{:.4f}\t{:.0f}\t{}{}", op0,
                                        op1, depth, width, error + 12 * std::sqrt(depth), error,
                                        0.2 + work / 20, depth * width * width * (1 + a0 + a1),
                                        depth / 2, line_end);
                }
    return text;
}

/// What its columns are.
inline std::string made_up_description() {
    return R"({
  "version": 1,
  "genes": ["op0", "op1", {"column": "depth", "kind": "ordinal"}, {"column": "width", "kind": "ordinal"}],
  "objectives": ["error", "edge_ms"],
  "fidelities": {"error": {"12": "error_e12", "200": "error_e200"}},
  "measured": ["edge_ms"],
  "counted": ["parameters"],
  "epoch_seconds": "s"
})";
}

}  // namespace edgeloop::test
