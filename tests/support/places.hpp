#pragma once

#include <string>

namespace edgeloop::test {

/// Where things are. Defined in one source file, so that a compiler cache serves every clone: a
/// path of this machine on each compiler's command line would make each clone compile anew.
[[nodiscard]] std::string in_source(const std::string& path);
[[nodiscard]] std::string in_build(const std::string& path);

/// A file of tests/data.
[[nodiscard]] inline std::string test_data(const std::string& path) {
    return in_source("tests/data/" + path);
}
/// A file of the dataset that the test e2e.dataset makes.
[[nodiscard]] inline std::string e2e_data(const std::string& path) {
    return in_build("tests/e2e-data/" + path);
}
/// One of our programs, e.g. "edgeloop-search".
[[nodiscard]] inline std::string program(const std::string& name) {
    return in_build("bin/" + name);
}
/// A program that only tests use.
[[nodiscard]] inline std::string test_program(const std::string& name) {
    return in_build("tests/" + name);
}

}  // namespace edgeloop::test
