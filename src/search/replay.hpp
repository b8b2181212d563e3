#pragma once

#include "search/parts.hpp"

namespace edgeloop {

/// Note that the training of a candidate begins again, whatever cut it off before.
constexpr const char* retried_training = "retried training";

/// Note that an earlier start is gone on with.
constexpr const char* resumed_run = "resumed";

/// Brings the engine and the candidates in flight to where an earlier start left off.
/// @return whether there was one. @throws CorruptState  its events do not belong to this engine.
[[nodiscard]] bool replay(RunStore& store, Engine& engine, ActiveCandidates& active);

}  // namespace edgeloop
