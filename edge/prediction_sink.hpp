#pragma once

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/inference/crop_model.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

enum class PredictionFormat : std::uint8_t {
    csv,     ///< a header; a line each: number of the window's last frame, values
    binary,  ///< each: that number as u64, values as float32; little endian, nothing between
};

/// Writes each prediction when it is there, with one write(2).
class PredictionSink {
  public:
    struct Options {
        std::string path = "-";  ///< "-": standard output
        PredictionFormat format = PredictionFormat::csv;
        double stall_limit_s = 10;  ///< that a reader may take; 0: waits for ever
    };

    /// @throws IoError  the file cannot be made.
    PredictionSink(Options options, const std::vector<inference::OutputTarget>& targets);

    /// Allocates nothing.
    /// @param values  of the targets.
    /// @throws IoError  whoever reads them takes none for too long, or has gone; a disk is full.
    void put(std::int64_t frame, const float* values);

  private:
    void write(std::size_t bytes);

    Options options_;
    std::size_t targets_;
    Descriptor file_;
    int descriptor_ = 1;
    bool may_stall_ = false;  ///< no plain file
    std::vector<char> buffer_;
};

}  // namespace edgeloop
