#pragma once

#include "edgeloop/link/measurement.hpp"

namespace edgeloop {

/// Makes a result fit the protocol's bounds: long or malformed text is cut or replaced, values that
/// are not finite are left out (not measured), a record that is too large is dropped.
void fit_to_limits(MeasurementResult& result);

/// Whether `text` is well-formed UTF-8 (no overlong forms, surrogates or values above U+10FFFF).
[[nodiscard]] bool is_utf8(const std::string& text);

/// `text` of a peer for a log or a terminal: control characters become blanks.
[[nodiscard]] std::string printable(std::string text);

/// A device's record as it came over the network, as JSON text that can be kept; "{}" for what is
/// not a JSON object.
[[nodiscard]] std::string sound_record(const std::string& text);

}  // namespace edgeloop
