#pragma once

#include <map>
#include <string>
#include <vector>

namespace edgeloop {

/// What the results of a run depend on: options, digests of data and the like, by name.
struct RunConditions {
    using Values = std::map<std::string, std::string>;

    Values search;     ///< which designs are tried; the same for all of a run
    Values training;   ///< what a training finds out
    Values measuring;  ///< what a measurement finds out
};

/// "--threads 1, now 2" for each name that both have with different values.
[[nodiscard]] std::vector<std::string> differences(const RunConditions::Values& before,
                                                   const RunConditions::Values& now);

}  // namespace edgeloop
