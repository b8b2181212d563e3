// libFuzzer entry, clang++ only; tests/fuzz/README.md has the commands. EDGELOOP_DECODER says which
// of the decoders of link_inputs.hpp gets the inputs.
#include "fuzz/link_inputs.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

const edgeloop::fuzz::Decoder* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    edgeloop::log::configure(edgeloop::log::Level::error);
    const char* wanted = std::getenv("EDGELOOP_DECODER");
    for (const auto& decoder : edgeloop::fuzz::decoders) {
        if (wanted != nullptr && std::string(wanted) == decoder.name) chosen = &decoder;
        if (wanted == nullptr) std::fprintf(stderr, "EDGELOOP_DECODER=%s\n", decoder.name);
    }
    if (chosen == nullptr) std::exit(2);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)chosen->attempt({reinterpret_cast<const char*>(data), size});
    return 0;
}
