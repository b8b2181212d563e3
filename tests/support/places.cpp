#include "support/places.hpp"

namespace edgeloop::test {

std::string in_source(const std::string& path) { return EDGELOOP_SOURCE_DIR "/" + path; }
std::string in_build(const std::string& path) { return EDGELOOP_BUILD_DIR "/" + path; }

}  // namespace edgeloop::test
