#pragma once

#include <cstdlib>

namespace edgeloop::test {

/// A number from the environment, so that the long version of a test is the same test.
inline int setting(const char* name, int otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::atoi(text) : otherwise;
}

}  // namespace edgeloop::test
