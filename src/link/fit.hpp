#pragma once

#include "edgeloop/link/measurement.hpp"

namespace edgeloop {

/// Makes a result fit the protocol's bounds: long or malformed text is cut or replaced, values that
/// are not finite are left out (not measured), a record that is too large is dropped.
void fit_to_limits(MeasurementResult& result);

}  // namespace edgeloop
