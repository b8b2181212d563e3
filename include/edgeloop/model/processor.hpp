#pragma once

namespace edgeloop {

/// What computes.
enum class Processor { cpu, cuda };

[[nodiscard]] constexpr const char* to_string(Processor processor) {
    return processor == Processor::cuda ? "cuda" : "cpu";
}

}  // namespace edgeloop
