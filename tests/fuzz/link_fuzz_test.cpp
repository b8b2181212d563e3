// Random mutations of valid messages, with an eye on what the decoders allocate.
#include "fuzz/link_inputs.hpp"
#include "support/sample_messages.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/link/journal_store.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>

#include <gtest/gtest.h>

namespace {

std::atomic<std::size_t> largest_allocation{0};

}  // namespace

void* operator new(std::size_t size) {
    std::size_t seen = largest_allocation;
    while (size > seen && !largest_allocation.compare_exchange_weak(seen, size)) {
    }
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

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

TEST(LinkFuzz, MutatedMessagesAreDecodedOrRefusedWithinTheMemoryLimit) {
    std::vector<std::string> seeds;
    for (const wire::Packet& packet : wire::sample_packets()) {
        const std::string bytes = wire::encode(packet);
        seeds.push_back(bytes);
        seeds.push_back(std::string(1, static_cast<char>(packet.message.index())) +
                        bytes.substr(envelope_header_bytes));
    }
    RandomStream random(1, "link fuzz");
    std::size_t decoded = 0;
    largest_allocation = 0;
    for (int i = 0; i < 200'000; ++i)
        decoded += wire::decode_everything(mutated(seeds[random.below(seeds.size())], random));
    EXPECT_GT(decoded, 1000u) << "the mutations should not all be refused at the door";
    EXPECT_LT(largest_allocation.load(), 2 * wire::max_message_bytes);
}

TEST(LinkFuzz, RandomBytesAreRefused) {
    RandomStream random(2, "link fuzz");
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes(random.below(200), '\0');
        for (char& c : bytes) c = static_cast<char>(random.below(256));
        EXPECT_NO_THROW((void)wire::decode_everything(bytes));
    }
}

TEST(LinkFuzz, ADamagedJournalStillOpens) {
    const test::TemporaryFolder folder;
    JournalOptions options;
    options.folder = folder.path("store");
    {
        JournalStore store(options);
        for (std::uint64_t id = 1; id <= 20; ++id) {
            store.add_job({id, {"spec", "{}", ""}, 0, 0});
            if (id % 2 == 0) store.add_result(id, MeasurementResult{});
        }
        store.commit();
    }
    std::ifstream file(options.folder + "/journal", std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(file)), {});
    RandomStream random(3, "link fuzz");
    for (int i = 0; i < 300; ++i) {
        // The first header stays: another version there is refused on purpose.
        const std::string head = whole.substr(0, envelope_header_bytes);
        const std::string tail = mutated(whole.substr(envelope_header_bytes), random);
        std::filesystem::remove_all(options.folder);
        std::filesystem::create_directories(options.folder);
        std::ofstream(options.folder + "/journal", std::ios::binary) << head << tail;
        JournalStore store(options);
        EXPECT_LE(store.open_jobs().size() + store.results(), 20u);
        store.add_result(99, MeasurementResult{});
        store.commit();
        EXPECT_TRUE(store.result(99));
    }
}

}  // namespace
}  // namespace edgeloop
