// Random mutations of valid messages, with an eye on what the decoders allocate.
#include "fuzz/link_inputs.hpp"
#include "link/journal_records.hpp"
#include "support/places.hpp"
#include "support/sample_messages.hpp"
#include "support/setting.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/link/bridge_store.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>

#include <gtest/gtest.h>

namespace {

std::atomic<std::size_t> max_allocation{0};

}  // namespace

// Not inlined: GCC would see malloc() paired with delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
    std::size_t seen = max_allocation;
    while (size > seen && !max_allocation.compare_exchange_weak(seen, size)) {
    }
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace edgeloop {
namespace {

/// One to four random edits: a bit, a byte, a cut, a doubled piece, a length field set to extremes.
std::string mutated(std::string bytes, RandomStream& random) {
    const std::uint64_t edits = 1 + random.below(4);
    for (std::uint64_t i = 0; i < edits && !bytes.empty(); ++i) {
        const auto at = static_cast<std::size_t>(random.below(bytes.size()));
        switch (random.below(5)) {
            case 0:
                bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
                break;
            case 1:
                bytes[at] = static_cast<char>(random.below(256));
                break;
            case 2:
                bytes.resize(at);
                break;
            case 3:
                bytes.insert(at, bytes.substr(at, random.below(32)));
                break;
            default:
                for (std::size_t k = at; k < std::min(at + 4, bytes.size()); ++k)
                    bytes[k] = random.chance(0.5) ? '\xff' : '\0';
        }
    }
    return bytes;
}

/// Inputs that found something while fuzzing, one a line in hexadecimal; tests/fuzz/README.md.
std::vector<std::string> corpus(const fuzz::Decoder& decoder) {
    std::ifstream file(test::test_data("fuzz/") + decoder.name + ".txt");
    std::vector<std::string> inputs;
    for (std::string line; std::getline(file, line);) {
        std::string bytes;
        for (std::size_t at = 0; at + 1 < line.size(); at += 2)
            bytes.push_back(static_cast<char>(std::stoi(line.substr(at, 2), nullptr, 16)));
        inputs.push_back(std::move(bytes));
    }
    return inputs;
}

class LinkFuzz : public testing::TestWithParam<fuzz::Decoder> {
  protected:
    LinkFuzz() { log::configure(log::Level::error); }
    ~LinkFuzz() override { log::configure(log::Level::info); }

    /// Most memory asked for at once while decoding.
    std::size_t max_request(const std::string& input) {
        max_allocation = 0;
        decoded += GetParam().attempt(input) ? 1 : 0;
        return max_allocation;
    }

    std::size_t decoded = 0;
};

INSTANTIATE_TEST_SUITE_P(Every, LinkFuzz, testing::ValuesIn(fuzz::decoders),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(LinkFuzz, CorpusIsDecodedOrRefusedWithinTheMemoryLimit) {
    const auto inputs = corpus(GetParam());
    ASSERT_FALSE(inputs.empty());
    for (const std::string& input : inputs)
        EXPECT_LT(max_request(input), 2 * wire::max_message_bytes);
    EXPECT_GT(decoded, 0u);
}

TEST_P(LinkFuzz, MutationsAreDecodedOrRefusedWithinTheMemoryLimit) {
    auto seeds = corpus(GetParam());  // those that are decoded: most others stay refused
    seeds.erase(std::remove_if(seeds.begin(), seeds.end(),
                               [](const std::string& seed) { return !GetParam().attempt(seed); }),
                seeds.end());
    ASSERT_FALSE(seeds.empty());
    RandomStream random(1, "link fuzz");
    const bool file = std::string(GetParam().name) == "journal";
    for (int i = 0; i < (file ? 200 : 5'000); ++i)
        ASSERT_LT(max_request(mutated(seeds[random.below(seeds.size())], random)),
                  2 * wire::max_message_bytes);
    EXPECT_GT(decoded, 5u) << "the mutations should not all be refused at the door";
}

TEST(LinkFuzzSeeds, EveryMessageIsDecoded) {
    ASSERT_FALSE(wire::sample_packets().empty());
    for (const wire::Packet& packet : wire::sample_packets()) {
        const std::string bytes = wire::encode(packet);
        EXPECT_TRUE(fuzz::message(bytes));
        EXPECT_TRUE(fuzz::message(std::string(1, static_cast<char>(packet.message.index())) +
                                  bytes.substr(envelope_header_bytes)));
    }
}

// 10 000 000: EDGELOOP_BOARD_SEQUENCES=10000000; one alone, by its number: EDGELOOP_BOARD_FIRST=N
// EDGELOOP_BOARD_SEQUENCES=1.
TEST(BoardSequences, TheWorkOfOthersGoesOnWhateverHostilePeersSay) {
    log::configure(log::Level::error);
    const int first = test::setting("EDGELOOP_BOARD_FIRST", 0);
    const int count = test::setting("EDGELOOP_BOARD_SEQUENCES", 100'000);
    std::size_t answers = 0;
    for (int number = first; number < first + count; ++number) {
        RandomStream random(7, "board", 0, static_cast<std::uint64_t>(number));
        const auto choose = [&random](std::uint64_t below) { return random.below(below); };
        const std::uint64_t steps = number % 100 == 0 ? 150 : random.below(10);
        try {
            answers += fuzz::BoardSequence(choose, number % 3 != 0).run(steps);
        } catch (const std::exception& error) {
            FAIL() << "sequence " << number << ": " << error.what();
        }
    }
    EXPECT_GT(answers, static_cast<std::size_t>(count));
    log::configure(log::Level::info);
}

/// However much is damaged, a store opens with what is left and can be used.
void expect_usable(const std::string& folder) {
    BridgeStoreOptions options;
    options.folder = folder;
    BridgeStore store(options);
    EXPECT_LE(store.open_jobs().size() + store.results(), 20u);
    store.add_result(99, MeasurementResult{});
    store.commit();
    EXPECT_TRUE(store.result(99));
}

TEST(LinkFuzzFile, ADamagedStoreOrJournalStillOpens) {
    const test::TemporaryFolder folder("/dev/shm");
    BridgeStoreOptions options;
    options.folder = folder.path("store");
    std::string journal;
    {
        BridgeStore store(options);
        for (std::uint64_t id = 1; id <= 20; ++id) {
            const OpenJob open{id, {"spec", "{}", ""}, 0, 0, {}};
            store.add_job(open);
            if (id % 2 == 0) store.add_result(id, MeasurementResult{});
            journal += seal_job(open);
        }
        store.commit();
    }
    const std::string database = read_file(folder.path("store/store.db"));
    RandomStream random(3, "link fuzz");
    for (int i = 0; i < 300; ++i) {
        // The journal's first header stays: another version there is refused on purpose.
        const bool old = i % 2 == 0;
        const std::string& whole = old ? journal : database;
        const std::size_t head = old ? envelope_header_bytes : 0;
        std::filesystem::remove_all(options.folder);
        std::filesystem::create_directories(options.folder);
        std::ofstream(options.folder + (old ? "/journal" : "/store.db"), std::ios::binary)
            << whole.substr(0, head) << mutated(whole.substr(head), random);
        expect_usable(options.folder);
    }
}

}  // namespace
}  // namespace edgeloop
