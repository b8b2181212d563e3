#include "store/snapshot.hpp"

#include "support/search_support.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/envelope.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"

#include <filesystem>
#include <set>

#include <gtest/gtest.h>

namespace edgeloop::snapshot_test {
namespace {

/// An engine in the middle of a generation, with everything its state can hold.
EngineState busy_state(EngineKind kind = EngineKind::generational, std::size_t confirm = 0,
                       int steps = 23) {
    const SearchSpace space = test::unit_box(3);
    EngineSettings settings = test::box_settings(kind, 6, 30);
    settings.ladder.epochs = {1, 3};
    settings.surrogate.children = 3;
    settings.confirm = confirm;
    const auto engine = make_engine(space, settings);
    for (int i = 0; i < steps; ++i)
        if (auto candidate = engine->ask())
            engine->tell(test::complete(*candidate, test::zdt1(candidate->genome)));
    (void)engine->ask();
    (void)engine->ask();
    return engine->state();
}

std::map<CandidateId, InFlight> in_flight() {
    InFlight flight;
    flight.candidate.id = 9;
    flight.parts[Part::training] = Outcome{9, Status::lost, {{"f1", 0.1}}, "why", 2.5, {}, {}};
    flight.cut_off = 2;
    return {{9, flight}};
}

TEST(Snapshot, ComesBackAsTheSameBytes) {
    for (const EngineKind kind : {EngineKind::generational, EngineKind::steady_state}) {
        const std::string bytes = encode_snapshot(busy_state(kind), in_flight(), 77);
        const Snapshot snapshot = decode_snapshot(bytes, "test");
        EXPECT_EQ(snapshot.events, 77u);
        ASSERT_EQ(snapshot.state.engine.surfaces.size(), 2u);
        EXPECT_GT(snapshot.state.engine.surfaces[0].count, 0u);
        EXPECT_EQ(snapshot.state.in_flight.at(9).cut_off, 2);
        EXPECT_EQ(snapshot.state.in_flight.at(9).part(Part::training)->metrics.at("f1"), 0.1);
        EXPECT_EQ(snapshot.state.in_flight.at(9).part(Part::measuring), nullptr);
        EXPECT_EQ(encode_snapshot(snapshot.state.engine, snapshot.state.in_flight, 77), bytes);
    }
}

TEST(Snapshot, RepeatsComeBackWhereverTheyAre) {
    std::set<std::size_t> under_way;
    std::size_t queued = 0, confirmed = 0, weights = 0;
    for (const EngineKind kind : {EngineKind::generational, EngineKind::steady_state})
        for (int steps = 10; steps < 40; ++steps) {
            const EngineState state = busy_state(kind, 3, steps);
            const std::string bytes = encode_snapshot(state, {}, 7);
            const EngineState back = decode_snapshot(bytes, "test").state.engine;
            EXPECT_EQ(encode_snapshot(back, {}, 7), bytes);
            for (const auto& each : state.confirmation.draws) under_way.insert(each.second.size());
            queued += state.confirmation.queue.size();
            confirmed += state.confirmation.results.size();
            for (std::size_t i = 0; i < state.archive.members().size(); ++i) {
                EXPECT_EQ(back.archive.members()[i].weights, state.archive.members()[i].weights);
                weights += state.archive.members()[i].weights;
            }
        }
    EXPECT_EQ(under_way, (std::set<std::size_t>{0, 1, 2, 3}));
    EXPECT_GT(queued, 0u);
    EXPECT_GT(confirmed, 0u);
    EXPECT_GT(weights, 0u);
}

void forget_parents(EngineState& state) {
    auto& own = std::get<GenerationalState>(state.own);
    for (auto& pending : state.pending) pending.second.parents.clear();
    for (Candidate& candidate : own.queue) candidate.parents.clear();
    for (CompletedCandidate& told : own.cohort) told.candidate.parents.clear();
}

TEST(Snapshot, ParentsComeBackWhereverTheirChildIs) {
    std::size_t queued = 0, pending = 0, told = 0;
    for (int steps = 8; steps < 30; ++steps) {
        const EngineState state = busy_state(EngineKind::generational, 0, steps);
        const EngineState back =
            decode_snapshot(encode_snapshot(state, {}, 7), "test").state.engine;
        const auto& own = std::get<GenerationalState>(state.own);
        const auto& own_back = std::get<GenerationalState>(back.own);
        for (const auto& [id, candidate] : state.pending) {
            EXPECT_EQ(back.pending.at(id).parents, candidate.parents);
            pending += candidate.parents.size();
        }
        for (std::size_t i = 0; i < own.queue.size(); ++i) {
            EXPECT_EQ(own_back.queue[i].parents, own.queue[i].parents);
            queued += own.queue[i].parents.size();
        }
        for (std::size_t i = 0; i < own.cohort.size(); ++i) {
            EXPECT_EQ(own_back.cohort[i].candidate.parents, own.cohort[i].candidate.parents);
            told += own.cohort[i].candidate.parents.size();
        }
    }
    EXPECT_GT(queued, 0u);
    EXPECT_GT(pending, 0u);
    EXPECT_GT(told, 0u);
}

TEST(Snapshot, OlderOnesGoOnWithoutWhatTheyDoNotHave) {
    constexpr std::size_t surfaces = 8, confirmation = 6 * 8,
                          model = 8 * 8;  // bytes of what is empty
    EngineState state = busy_state();
    state.surfaces.clear();
    forget_parents(state);
    const std::string bytes = encode_snapshot(state, in_flight(), 77);
    Envelope envelope = open_envelope({"ELCK", 5}, bytes, "test");
    envelope.payload.resize(envelope.payload.size() - model);
    Snapshot snapshot = decode_snapshot(seal({"ELCK", 4}, envelope), "test");
    EXPECT_EQ(encode_snapshot(snapshot.state.engine, snapshot.state.in_flight, 77), bytes);
    envelope.payload.resize(envelope.payload.size() - confirmation);
    snapshot = decode_snapshot(seal({"ELCK", 3}, envelope), "test");
    EXPECT_EQ(encode_snapshot(snapshot.state.engine, snapshot.state.in_flight, 77), bytes);
    envelope.payload.resize(envelope.payload.size() - surfaces);
    snapshot = decode_snapshot(seal({"ELCK", 2}, envelope), "test");
    EXPECT_TRUE(snapshot.state.engine.surfaces.empty());
    EXPECT_EQ(encode_snapshot(snapshot.state.engine, snapshot.state.in_flight, 77), bytes);
}

TEST(Snapshot, KeepsWhatAModelKnows) {
    EngineState state = busy_state();
    ModelState& model = state.model;
    model.results = {{3, Genome{{1, 0.5}}, 1, {{"val_rmse", 0.2}}, 4}};
    model.fitted["val_rmse"] = {17, {0.25, -3}, 0.8};
    model.expected[4]["val_rmse"] = {0.1, 0.3};
    model.scouted[{0, 0.25}][""] = {9,   Status::completed, {{"latency_ms", 0.7}}, "", 2, "board",
                                    "{}"};
    model.parents[{0, 0.25}] = {3, 8};
    model.scouts = 5;
    model.measured = {"latency_ms"};
    model.intervals = 12;
    model.held = 8;
    const std::string bytes = encode_snapshot(state, in_flight(), 77);
    const Snapshot snapshot = decode_snapshot(bytes, "test");
    const ModelState& kept = snapshot.state.engine.model;
    EXPECT_EQ(encode_snapshot(snapshot.state.engine, snapshot.state.in_flight, 77), bytes);
    ASSERT_EQ(kept.results.size(), 1u);
    EXPECT_EQ(kept.results[0].metrics, model.results[0].metrics);
    EXPECT_EQ(kept.results[0].trainings, 4);
    EXPECT_EQ(kept.fitted.at("val_rmse").parameters, (std::vector<double>{0.25, -3}));
    EXPECT_EQ(kept.fitted.at("val_rmse").skill, 0.8);
    EXPECT_EQ(kept.expected, model.expected);
    const Outcome& scouted = kept.scouted.at({0, 0.25}).at("");
    EXPECT_EQ(scouted.device, "board");
    EXPECT_EQ(scouted.record, "{}");
    EXPECT_EQ(scouted.metrics.at("latency_ms"), 0.7);
    EXPECT_EQ(kept.parents, model.parents);
    EXPECT_EQ(kept.scouts, 5u);
    EXPECT_EQ(kept.measured, model.measured);
    EXPECT_EQ(kept.held, 8u);
}

TEST(Snapshot, KeepsWhatEachClassOfDevicesMeasured) {
    EngineState state = busy_state();
    forget_parents(state);
    auto flights = in_flight();
    const std::string plain = encode_snapshot(state, flights, 77);
    EXPECT_EQ(envelope_version({"ELCK", 6}, plain), 5) << "as releases without classes wrote it";
    flights.at(9).parts[{Part::measuring, "board"}] = {9, Status::completed, {{"latency_ms", 0.7}}};
    flights.at(9).parts[{Part::measuring, "pi"}] = {9, Status::lost, {}, "away"};
    state.model.scouted[{0, 0.25}]["pi"] = {
        3, Status::completed, {{"latency_ms", 2}}, "", 1, "pi-4", "{}"};
    const std::string bytes = encode_snapshot(state, flights, 77);
    EXPECT_EQ(envelope_version({"ELCK", 6}, bytes), 6);
    const Snapshot snapshot = decode_snapshot(bytes, "test");
    EXPECT_EQ(encode_snapshot(snapshot.state.engine, snapshot.state.in_flight, 77), bytes);
    const InFlight& kept = snapshot.state.in_flight.at(9);
    EXPECT_EQ(kept.parts.size(), flights.at(9).parts.size());
    EXPECT_EQ(kept.part({Part::measuring, "board"})->metrics.at("latency_ms"), 0.7);
    EXPECT_EQ(kept.part({Part::measuring, "pi"})->reason, "away");
    const Measured& scouted = snapshot.state.engine.model.scouted.at({0, 0.25});
    ASSERT_EQ(scouted.size(), 1u);
    EXPECT_EQ(scouted.at("pi").device, "pi-4");
}

TEST(Snapshot, TruncatedAtAnyLengthIsRefused) {
    const std::string bytes = encode_snapshot(busy_state(), in_flight(), 77);
    for (std::size_t length = 0; length < bytes.size(); ++length)
        ASSERT_THROW((void)decode_snapshot(std::string_view(bytes).substr(0, length), "test"),
                     CorruptState)
            << length;
    EXPECT_THROW((void)decode_snapshot(bytes + '\0', "test"), CorruptState);
}

TEST(Snapshot, EveryFlippedBitIsNoticed) {
    const std::string bytes = encode_snapshot(busy_state(), in_flight(), 77);
    RandomStream random(1, "bit flips");
    for (int i = 0; i < 2000; ++i) {
        const std::uint64_t bit = random.below(8 * bytes.size());
        std::string flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_THROW((void)decode_snapshot(flipped, "test"), CorruptState) << bit;
    }
}

class SnapshotFolderTest : public testing::Test {
  protected:
    void write(std::uint64_t events) {
        checkpoints_.write(encode_snapshot(busy_state(), {}, events));
    }
    void spoil(int number) {
        const std::string path = folder_.path("population-" + std::to_string(number) + ".ckpt");
        std::string bytes = read_file(path);
        bytes[bytes.size() / 2] ^= 4;
        write_file_atomic(path, bytes);
    }

    test::TemporaryFolder folder_;
    SnapshotFolder checkpoints_{folder_.root(), 3};
};

TEST_F(SnapshotFolderTest, KeepsTheNewestThree) {
    EXPECT_TRUE(checkpoints_.empty());
    EXPECT_FALSE(checkpoints_.newest());
    for (std::uint64_t i = 1; i <= 12; ++i) write(i);
    EXPECT_EQ(checkpoints_.newest()->events, 12u);
    EXPECT_FALSE(std::filesystem::exists(folder_.path("population-9.ckpt")));
    for (const int kept : {10, 11, 12})
        EXPECT_TRUE(
            std::filesystem::exists(folder_.path("population-" + std::to_string(kept) + ".ckpt")));
}

TEST_F(SnapshotFolderTest, FallsBackToTheNewestGoodOne) {
    for (std::uint64_t i = 1; i <= 3; ++i) write(i);
    spoil(3);
    EXPECT_EQ(checkpoints_.newest()->events, 2u);
    spoil(2);
    EXPECT_EQ(checkpoints_.newest()->events, 1u);
    spoil(1);
    EXPECT_THROW((void)checkpoints_.newest(), CorruptState);
}

TEST_F(SnapshotFolderTest, PassesOverFilesThatAreNotItsOwn) {
    write(1);
    for (const char* name :
         {"population-.ckpt", "population-7x.ckpt", "population-9.ckpt.tmp12", "notes.txt"})
        write_file_atomic(folder_.path(name), "x");
    EXPECT_EQ(checkpoints_.newest()->events, 1u);
}

}  // namespace
}  // namespace edgeloop::snapshot_test
