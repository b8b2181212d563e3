#pragma once

#include <cstdlib>
#include <string>

namespace edgeloop::test {

/// Whether PATH has such a program.
inline bool has_tool(const std::string& name) {
    return std::system(("command -v " + name + " > /dev/null").c_str()) == 0;
}

}  // namespace edgeloop::test
