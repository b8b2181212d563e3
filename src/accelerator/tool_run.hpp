#pragma once

#include "edgeloop/accelerator/tools.hpp"
#include "edgeloop/core/temporary_folder.hpp"

#include <optional>
#include <string>
#include <vector>

namespace edgeloop::accelerator {

/// A program that others made, and the oldest version that is known to do.
struct Tool {
    const char* program;
    const char* package;  ///< of Debian
    const char* version_option;
    int major = 0, minor = 0;  ///< 0, 0: any
};

constexpr Tool verilator{"verilator", "verilator", "--version", 5, 6};
constexpr Tool yosys{"yosys", "yosys", "-V", 0, 23};
constexpr Tool icarus{"iverilog", "iverilog", "-V", 11, 0};
constexpr Tool compiler{"g++", "g++", "--version", 0, 0};
constexpr Tool make{"make", "make", "--version", 0, 0};
constexpr Tool nextpnr_ice40{"nextpnr-ice40", "nextpnr-ice40", "--version", 0, 0};

/// Path of a program in PATH; empty: there is none.
[[nodiscard]] std::string path_of(const char* program);
/// Why one of these tools cannot be used, in a line; empty: all can.
[[nodiscard]] std::string problem_of(const std::vector<Tool>& tools);

/// A folder with intermediate files, and the time that all tools in it may take together.
class Workshop {
  public:
    /// @throws IoError
    explicit Workshop(const ToolLimits& limits);

    [[nodiscard]] const std::string& folder() const { return folder_; }
    void write(const std::vector<TextOfFile>& files) const;
    /// Runs a program in the folder. @return  what it printed.
    /// @param what  it does, for errors.
    /// @throws IoError  beyond a limit, or it failed: with the last line it printed.
    std::string run(const std::vector<std::string>& command, const std::string& what);

  private:
    ToolLimits limits_;
    std::optional<TemporaryFolder> temporary_;
    std::string folder_;
    double deadline_;
    int runs_ = 0;
};

/// What the test bench said of so many clips.
[[nodiscard]] Simulation simulation_of(const std::string& output, std::size_t clips);

}  // namespace edgeloop::accelerator
