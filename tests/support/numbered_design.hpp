#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <string>

namespace edgeloop::test {

/// A candidate whose design differs from that of others by a number of 1 to 65536.
inline Candidate numbered_candidate(CandidateId id, std::uint64_t number,
                                    double learning_rate = 0.1) {
    const Json spec = {
        {"family", "cnn3d"},
        {"architecture",
         {{"stages", {{{"channels", 4}, {"kernel", {3, 3, 3}}}}}, {"hidden", {number}}}},
        {"clip", {{"frames", 4}, {"stride", 1}, {"side", 16}}},
        {"training", {{"learning_rate", learning_rate}}}};
    Candidate candidate;
    candidate.id = id;
    candidate.design = Design::parse(spec.dump(), "test");
    return candidate;
}

/// The number, from the text of the design that a job has.
inline double number_in(const std::string& spec) {
    return Json::parse(spec).at("architecture").at("hidden").at(0).get<double>();
}

}  // namespace edgeloop::test
