// libFuzzer entry: clang++ only; see src/link/README.md for the command.
#include "fuzz/link_inputs.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)edgeloop::wire::decode_everything({reinterpret_cast<const char*>(data), size});
    return 0;
}
