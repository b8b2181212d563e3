#pragma once

#include "edgeloop/core/error.hpp"
#include "edgeloop/data/recording.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::test {

/// Everything sharding would read of the file.
inline void read_all(const std::string& path, External external = External::refuse) {
    const auto file = open_recording(path, external);
    for (const LayerInfo& layer : file->layers()) {
        const LineIndex index = file->line_index(layer);
        (void)file->labels(layer);
        file->for_each_line(layer, index, 0, index.lines(), Crop::causal, [](CroppedLine&) {});
    }
}

/// Expects one line that names file, place and reason.
inline void expect_refused(const std::string& path, const std::string& place,
                           const std::string& reason, External external = External::refuse) {
    try {
        read_all(path, external);
        ADD_FAILURE() << "was accepted, expected: " << reason;
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr(path));
        EXPECT_THAT(error.what(), testing::HasSubstr(place));
        EXPECT_THAT(error.what(), testing::HasSubstr(reason));
        EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
    }
}

}  // namespace edgeloop::test
