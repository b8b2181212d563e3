#pragma once

#include "support/places.hpp"

#include "edgeloop/core/child_process.hpp"

#include <string>
#include <vector>

namespace edgeloop::test {

/// What a program did.
struct ProgramResult {
    int code = -1;  ///< exit code; -1 when a signal or the time limit ended it
    int signal = 0;
    bool timed_out = false;
    std::string output;  ///< stdout and stderr
};

/// Runs a command line to its end.
[[nodiscard]] ProgramResult run(const std::vector<std::string>& arguments,
                                double limit_seconds = 120);

/// `mpirun -n ranks` and its flags for a test machine, followed by `arguments`.
[[nodiscard]] std::vector<std::string> mpirun(int ranks, const std::vector<std::string>& arguments);

/// Texts of the cells of one of our tables, row by row.
[[nodiscard]] std::vector<std::vector<std::string>> read_table(const std::string& path);

/// Values of a column of read_table(). Throws std::out_of_range when there is none of this name.
[[nodiscard]] std::vector<std::string> column(const std::vector<std::vector<std::string>>& table,
                                              const std::string& name);

/// Waits until `path` exists and has at least `lines` lines. @return false after `limit_seconds`.
[[nodiscard]] bool wait_for_lines(const std::string& path, std::size_t lines,
                                  double limit_seconds = 60);

}  // namespace edgeloop::test
