#include "unit/inference/random_graphs.hpp"

#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/inference/model_file.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

std::atomic<std::size_t> max_request{0};

}  // namespace

// Replaced, to see how much is asked for at once. Inlined, GCC takes each for another's mismatched
// half.
[[gnu::noinline]] void* operator new(std::size_t size) {
    max_request = std::max(max_request.load(), size);
    if (void* const memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace edgeloop::inference {
namespace {

constexpr EnvelopeFormat format{"ELMF", 1};

/// Opens a file; what is sound is run. @return whether it was.
bool open(const std::string& bytes) {
    try {
        (void)decode_model(bytes, "fuzzed");
        return true;
    } catch (const CorruptState&) {
        return false;
    } catch (const ConfigError&) {
        return false;
    }
}

std::string changed(RandomStream& random, std::string payload) {
    for (std::uint64_t i = 1 + random.below(4); i > 0 && !payload.empty(); --i) {
        const std::size_t at = random.below(payload.size());
        switch (random.below(5)) {
            case 0:
                payload[at] = static_cast<char>(random.below(256));
                break;
            case 1:
                payload[at] = static_cast<char>(payload[at] ^ (1 << random.below(8)));
                break;
            case 2:
                payload.resize(at);
                break;
            case 3:  // a length or a size that is extreme
                for (std::size_t k = at; k < std::min(at + 4, payload.size()); ++k)
                    payload[k] = static_cast<char>(random.chance(0.5) ? 0xff : 0x7f);
                break;
            default:
                payload.insert(at, 1, static_cast<char>(random.below(256)));
        }
    }
    return payload;
}

TEST(ModelFileFuzz, NoInputCrashesOrAsksForMuchMemory) {
    const char* const wanted = std::getenv("EDGELOOP_MODEL_FILES");
    const long rounds = wanted == nullptr ? 20000 : std::atol(wanted);
    RandomStream random(1, "model files");
    long sound = 0;
    std::string payload;
    for (long i = 0; i < rounds; ++i) {
        if (i % 100 == 0) {
            Graph graph = i % 200 == 0 ? random_integer_graph(random) : random_float_graph(random);
            graph.metadata = {{"targets", {{{"name", "speed"}}}}};
            payload = open_envelope(format, encode_model(graph), "sound").payload;
        }
        // With a sound checksum, which a mistake by chance has not.
        std::string bytes = seal(format, {0, 0, changed(random, payload)});
        if (random.chance(0.05)) bytes = changed(random, bytes);
        max_request = 0;
        sound += open(bytes) ? 1 : 0;
        ASSERT_LE(max_request, 16 * bytes.size() + 4096) << "input " << i;
    }
    EXPECT_GT(sound, 0);  // most changes hit weights, and are none the worse
    EXPECT_LT(sound, rounds);
}

}  // namespace
}  // namespace edgeloop::inference
