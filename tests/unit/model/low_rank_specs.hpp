#pragma once

#include "unit/model/specs.hpp"

#include "edgeloop/core/json.hpp"

#include <string>
#include <vector>

namespace edgeloop::test {

inline ArchitectureSpec with_low_rank(const ArchitectureSpec& spec, const std::string& low_rank) {
    Json json = spec.to_json();
    json["low_rank"] = parse_json(low_rank, "test");
    return ArchitectureSpec::from_json(json, "test");
}

/// Every format of every family, with ranks that are less and more than what is worth keeping.
inline std::vector<ArchitectureSpec> low_rank_designs() {
    return {
        with_low_rank(small_cnn3d(), R"({"stages": [{"format": "tt", "rank_max": 3},
            {"format": "tucker2", "rank_max": 4}], "dense": {"format": "tt", "rank_max": 5}})"),
        with_low_rank(small_cnn3d(), R"({"stages": [{"format": "cp", "rank_max": 6},
            {"format": "cp", "rank_max": 9}], "dense": {"format": "ttm", "rank_max": 4}})"),
        with_low_rank(small_cnn3d(5, 13), R"({"stages": [{"format": "tt", "rank_max": 100},
            {"format": "tucker2", "rank_max": 100}], "dense": {"format": "tt", "rank_max": 100}})"),
        with_low_rank(small_mbconv3d(), R"({"stages": [{"format": "tt", "rank_max": 2},
            {"format": "tt", "rank_max": 7}], "dense": {"format": "tt", "rank_max": 5}})"),
        with_low_rank(small_swin3d(),
                      R"({"stages": [{"format": "tt", "rank_max": 4}, {"format": "ttm"}]})"),
    };
}

}  // namespace edgeloop::test
