#include "support/programs.hpp"

#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/csv.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <unistd.h>

namespace edgeloop::test {

ProgramResult run(const std::vector<std::string>& arguments, double limit_seconds) {
    const TemporaryFolder folder;
    ChildOptions options;
    options.arguments = arguments;
    options.output_file = folder.path("output");
    ChildProcess child(options);
    ProgramResult result;
    if (const auto exit = child.wait_for(limit_seconds)) {
        result.signal = exit->signal;
        result.code = exit->signal != 0 ? -1 : exit->code;
    } else {
        result.timed_out = true;
        child.terminate(1);
    }
    result.output = read_file(options.output_file);
    return result;
}

std::vector<std::string> mpirun(int ranks, const std::vector<std::string>& arguments) {
    std::vector<std::string> command{"/usr/bin/env", "mpirun"};
    if (::geteuid() == 0) command.emplace_back("--allow-run-as-root");
    for (const std::string& word : {std::string("--oversubscribe"), std::string("--bind-to"),
                                    std::string("none"), std::string("-n"), std::to_string(ranks)})
        command.push_back(word);
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
}

std::vector<std::vector<std::string>> read_table(const std::string& path) {
    std::vector<std::vector<std::string>> table;
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) table.push_back(csv_row(line));
    return table;
}

std::vector<std::string> column(const std::vector<std::vector<std::string>>& table,
                                const std::string& name) {
    if (table.empty()) throw std::out_of_range("the table is empty");
    const auto found = std::find(table[0].begin(), table[0].end(), name);
    if (found == table[0].end()) throw std::out_of_range("no column " + name);
    const auto index = static_cast<std::size_t>(found - table[0].begin());
    std::vector<std::string> values;
    for (std::size_t row = 1; row < table.size(); ++row) values.push_back(table[row].at(index));
    return values;
}

bool wait_for_lines(const std::string& path, std::size_t lines, double limit_seconds) {
    const double deadline = steady_seconds() + limit_seconds;
    BackOff back_off;
    while (steady_seconds() < deadline) {
        std::ifstream file(path);
        std::size_t count = 0;
        for (std::string line; std::getline(file, line);) ++count;
        if (count >= lines) return true;
        back_off.wait();
    }
    return false;
}

}  // namespace edgeloop::test
