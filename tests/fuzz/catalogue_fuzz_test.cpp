// Random damage to catalogues: parse_catalogue() answers with a catalogue or a ConfigError, nothing
// else. Also a libFuzzer target: compile this file with clang++ -fsanitize=fuzzer and
// -DEDGELOOP_LIBFUZZER.
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/data/catalogue.hpp"

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {
namespace {

/// True when the text was accepted. What was accepted must be read back as it was written.
bool parses(std::string_view text) {
    std::string written;
    try {
        written = format_catalogue(parse_catalogue(text, "fuzz"));
    } catch (const ConfigError&) {
        return false;
    }
    if (format_catalogue(parse_catalogue(written, "fuzz")) != written) std::abort();
    return true;
}

}  // namespace
}  // namespace edgeloop

#ifdef EDGELOOP_LIBFUZZER

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)edgeloop::parses({reinterpret_cast<const char*>(data), size});
    return 0;
}

#else

#include <gtest/gtest.h>

namespace edgeloop {
namespace {

std::string example() {
    Catalogue catalogue;
    catalogue.settings_digest = "abc";
    catalogue.shards = {{"shard-00000.h5", 100, 3, 29, "d0", "c0"}};
    catalogue.layers = {{"C027", "layer0000", "C027.hdf5", SplitPart::train, 0, 2, 20},
                        {"C027", "layer0001", "C027.hdf5", SplitPart::validation, 2, 1, 9}};
    catalogue.parts[0] = {1, 2, 20, {2, {700, 200}, {250000, 2500}}};
    catalogue.parts[1] = {1, 1, 9, {1, {900, 210}, {0, 0}}};
    return format_catalogue(catalogue);
}

TEST(CatalogueFuzz, BytesChangedInsertedAndRemoved) {
    const std::string whole = example();
    ASSERT_TRUE(parses(whole));
    RandomStream random(1, "fuzz bytes");
    for (int i = 0; i < 3000; ++i) {
        std::string text = whole;
        for (std::uint64_t change = 0; change <= random.below(4); ++change) {
            const std::size_t at = random.below(text.size());
            const auto byte = static_cast<char>(random.below(256));
            switch (random.below(4)) {
                case 0:
                    text[at] = byte;
                    break;
                case 1:
                    text.insert(at, 1, byte);
                    break;
                case 2:
                    text.erase(at, 1 + random.below(20));
                    break;
                default:
                    text.insert(at, text.substr(random.below(text.size()), 30));
                    break;
            }
        }
        if (parses(text)) {
            EXPECT_EQ(Json::parse(text), Json::parse(whole)) << "damage that was not noticed";
        }
    }
}

/// Every value of a JSON document, by pointer.
void collect(const Json& value, const std::string& at, std::vector<std::string>& pointers) {
    pointers.push_back(at);
    if (value.is_object())
        for (const auto& [key, member] : value.items()) collect(member, at + "/" + key, pointers);
    if (value.is_array())
        for (std::size_t i = 0; i < value.size(); ++i)
            collect(value[i], at + "/" + std::to_string(i), pointers);
}

TEST(CatalogueFuzz, EveryValueReplacedWithARightDigest) {
    const std::vector<Json> replacements = {nullptr,
                                            true,
                                            -1,
                                            0,
                                            1e308,
                                            18446744073709551615ULL,
                                            0.5,
                                            "",
                                            "train",
                                            "../../etc/passwd",
                                            Json::array(),
                                            Json::object(),
                                            Json::array({Json::array({1})})};
    const Json whole = Json::parse(example());
    std::vector<std::string> pointers;
    collect(whole, "", pointers);
    std::size_t accepted = 0;
    for (const std::string& pointer : pointers)
        for (const Json& replacement : replacements) {
            Json changed = whole;
            changed[Json::json_pointer(pointer)] = replacement;
            if (changed.is_object()) {
                changed.erase("digest");
                changed["digest"] = digest(changed.dump()).hex();
            }
            accepted += parses(changed.dump()) ? 1 : 0;
        }
    // Texts and statistics may take other values; the structure may not.
    EXPECT_LT(accepted, pointers.size() * replacements.size() / 5);
}

}  // namespace
}  // namespace edgeloop

#endif
