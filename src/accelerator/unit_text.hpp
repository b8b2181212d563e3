#pragma once

#include "accelerator/module_text.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace edgeloop::accelerator {

/// Of signals that belong to an axis.
constexpr std::array<const char*, 3> axes{"t", "h", "w"};

/// A module that starts with the ports of every unit.
[[nodiscard]] ModuleText unit_module(const Circuit& circuit, const Unit& unit);

/// The module of a unit; its tally is all that it is made of.
[[nodiscard]] ModuleText module_of(const Circuit& circuit, const Unit& unit);

// Parts of modules, in the order in which they follow each other.

/// Window or direct input: declares `window`, `issue` and `in_ready`.
void write_window(const Circuit& circuit, const Unit& unit, ModuleText& module);
void write_direct_input(const Unit& unit, ModuleText& module);
/// From `window` and `issue` to accumulators acc_0, ... with `done` and the group of outputs they
/// are of.
void write_product(const Circuit& circuit, const Unit& unit, ModuleText& module);
/// How many results there is room for: `room`; a result begins where `take` says so.
void write_room(const Unit& unit, ModuleText& module, const std::string& take);
/// Cycle in which the first fold of a result may start.
[[nodiscard]] std::string issue_condition(const Unit& unit, const std::string& offered);

/// Accumulators of one output after the other on their way to activations.
struct RoundingInput {
    Signal value;
    std::vector<std::size_t> channels;  ///< of each group
    std::string group;                  ///< signal that says which it is
    std::string prefix;                 ///< of the names
};
Signal write_rounding(const Circuit& circuit, const Unit& unit, const RoundingInput& input,
                      ModuleText& module);
/// Collects the groups of one position and puts them into the buffer.
/// @param results  of one group.   @param valid  when they are there.
void write_output(const Circuit& circuit, const Unit& unit, const std::vector<Signal>& results,
                  int groups, const std::string& valid, ModuleText& module);
/// The buffer at the end of a unit.
void write_buffer(const Circuit& circuit, const Unit& unit, const std::string& push,
                  const std::string& data, ModuleText& module);

[[nodiscard]] ModuleText max_pool_module(const Circuit& circuit, const Unit& unit);
[[nodiscard]] ModuleText mean_module(const Circuit& circuit, const Unit& unit);

}  // namespace edgeloop::accelerator
