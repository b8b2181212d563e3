#pragma once

#include "edgeloop/link/measurement.hpp"

#include <map>
#include <string>
#include <vector>

namespace edgeloop::apps {

struct SearchConfig;

/// On which devices something is measured, and how.
struct MeasuringClass {
    std::string device_class;  ///< empty: any
    MeasurementSettings settings;
};
/// By the name that metrics of the run have behind the @; a run that names no class has one without
/// a name.
using MeasuringClasses = std::map<std::string, MeasuringClass>;

/// What --device-class and the names in objectives and constraints come to.
/// @throws ConfigError  a class that cannot be named, is given twice, is wanted by no goal, or has
///                      settings that there are not; classes where no device measures.
[[nodiscard]] MeasuringClasses measuring_classes(const SearchConfig& config);

/// The objectives of a run that gives none: an error and the latency that each class delivers.
/// Nothing when no class is simulated: settle_goals() knows those.
[[nodiscard]] std::vector<std::string> usual_objectives(const MeasuringClasses& classes);

/// Their names.
[[nodiscard]] std::vector<std::string> names_of(const MeasuringClasses& classes);

}  // namespace edgeloop::apps
