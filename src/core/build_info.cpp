#include "edgeloop/core/build_info.hpp"

#include "build_info_values.hpp"

namespace edgeloop {

std::string version() { return EDGELOOP_VERSION; }

std::string build_description() {
    return EDGELOOP_VERSION " (" EDGELOOP_COMMIT ", " EDGELOOP_COMPILER ", " EDGELOOP_BUILD_TYPE
                            ")";
}

}  // namespace edgeloop
