#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/model/processor.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// A network with its weights that answers, nothing more; for one thread at a time.
class Predictor {
  public:
    /// @param outputs  that it must have.
    /// @throws ConfigError  the weights are of another network, damaged, larger than this one's can
    /// be, or of another number of outputs; there is no such processor. IoError  memory ran out.
    Predictor(const ArchitectureSpec& spec, const std::string& weights_file, std::size_t outputs,
              Processor processor = Processor::cpu);
    ~Predictor();
    Predictor(const Predictor&) = delete;
    Predictor& operator=(const Predictor&) = delete;

    /// @param clips  (count, 1, frames, side, side), normalised as the spec says.
    /// @return (count, outputs), divided by the targets' scales.
    /// @throws IoError  memory ran out.
    [[nodiscard]] std::vector<float> predict(const float* clips, std::size_t count) const;

    [[nodiscard]] const ArchitectureSpec& spec() const { return spec_; }

  private:
    struct Impl;
    ArchitectureSpec spec_;
    std::unique_ptr<Impl> impl_;
};

/// Largest weights file that a design can have: its weights, a little for the header, and room for
/// more outputs.
[[nodiscard]] std::uint64_t max_weights_bytes(const ArchitectureSpec& spec);
/// Before anything is read: a file may be longer than the memory. A missing file is left to its
/// reader.
/// @throws ConfigError  the file is larger than weights of this design can be.
void check_weights_size(const ArchitectureSpec& spec, const std::string& file);

}  // namespace edgeloop
