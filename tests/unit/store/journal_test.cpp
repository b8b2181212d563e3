#include "store/journal.hpp"

#include "support/numbered_design.hpp"
#include "support/temporary_folder.hpp"

#include "edgeloop/core/error.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace edgeloop::journal_test {
namespace {

Candidate awkward_candidate() {
    Candidate candidate;
    candidate.id = 3;
    candidate.generation = 2;
    candidate.index = 1;
    candidate.genome.genes = {0.1, -0.0, 1.0 / 3, 5, 1e-300, 1.7976931348623157e308};
    candidate.seed = 0xffffffffffffffffull;
    candidate.epochs = 3;
    candidate.rung = 1;
    candidate.trained_epochs = 1;
    candidate.keep_state = true;
    candidate.known = {{"parameters", 2e6}};
    candidate.previous = {{"val_rmse", 0.1}};
    candidate.parents = {1, 2};
    candidate.design = test::numbered_candidate(3, 5).design;
    return candidate;
}

Told awkward_end() {
    Told told;
    told.completed.candidate = awkward_candidate();
    told.completed.status = Status::failed;
    told.completed.metrics = {{"val_rmse", std::numeric_limits<double>::infinity()},
                              {"latency_ms", 0.1 + 0.2}};
    told.completed.settled = {{"latency_ms", 0.1 + 0.2}};
    told.completed.reason = "line\nbreak, \"quotes\" and \\";
    told.completed.training_seconds = 0.1;
    return told;
}

void expect_same(const Candidate& a, const Candidate& b) {
    ASSERT_EQ(a.genome.genes.size(), b.genome.genes.size());
    for (std::size_t i = 0; i < a.genome.genes.size(); ++i) {
        EXPECT_EQ(a.genome.genes[i], b.genome.genes[i]);
        EXPECT_EQ(std::signbit(a.genome.genes[i]), std::signbit(b.genome.genes[i]));
    }
    EXPECT_EQ(a.id, b.id);
    EXPECT_EQ(a.generation, b.generation);
    EXPECT_EQ(a.index, b.index);
    EXPECT_EQ(a.seed, b.seed);
    EXPECT_EQ(a.epochs, b.epochs);
    EXPECT_EQ(a.rung, b.rung);
    EXPECT_EQ(a.trained_epochs, b.trained_epochs);
    EXPECT_EQ(a.keep_state, b.keep_state);
    EXPECT_EQ(a.known, b.known);
    EXPECT_EQ(a.previous, b.previous);
    EXPECT_EQ(a.parents, b.parents);
    EXPECT_EQ(a.design->text(), b.design->text());
}

class JournalTest : public testing::Test {
  protected:
    void write(const std::vector<Event>& events, std::uint64_t next = 0) {
        JournalWriter writer(path_, next);
        for (const Event& event : events) writer.add(event);
        writer.commit();
    }
    void overwrite(const std::string& bytes) { write_file_atomic(path_, bytes); }

    test::TemporaryFolder folder_;
    std::string path_ = folder_.path("journal.jsonl");
};

TEST_F(JournalTest, EveryEventComesBackExactly) {
    PartDone part;
    part.part = Part::measuring;
    part.outcome.id = 3;
    part.outcome.metrics = {{"latency_ms", 0.7000000000000001}};
    part.outcome.seconds = 1e-9;
    part.outcome.device = "board \"1\"";
    part.outcome.record = R"({"after":{"crc":1},"before":{"governor":"performance"}})";
    write({Proposed{awkward_candidate()}, part, Note{"retried", 3, "rank 2 died"}, awkward_end()});
    const Journal journal = read_journal(path_, true);
    ASSERT_EQ(journal.events.size(), 4u);
    expect_same(std::get<Proposed>(journal.events[0]).candidate, awkward_candidate());
    const Outcome outcome = std::get<PartDone>(journal.events[1]).outcome;
    EXPECT_EQ(outcome.metrics, part.outcome.metrics);
    EXPECT_EQ(outcome.seconds, 1e-9);
    EXPECT_EQ(outcome.device, part.outcome.device);
    EXPECT_EQ(outcome.record, part.outcome.record);
    EXPECT_EQ(std::get<Note>(journal.events[2]).reason, "rank 2 died");
    const CompletedCandidate completed = std::get<Told>(journal.events[3]).completed;
    expect_same(completed.candidate, awkward_candidate());
    EXPECT_EQ(completed.status, Status::failed);
    EXPECT_EQ(completed.metrics, awkward_end().completed.metrics);
    EXPECT_EQ(completed.reason, awkward_end().completed.reason);
}

// What the report reads: see History.
TEST_F(JournalTest, ATrainingHasItsRanksAndItsCurveByColumns) {
    PartDone part;
    part.outcome.id = 3;
    part.outcome.ranks = {1, 4};
    part.outcome.curve = {{1, 0.01, {{"train_loss", 0.5}}, 0},
                          {2, 0.005, {{"train_loss", 0.25}, {"val_rmse", 0.75}}, 0}};
    write({Proposed{awkward_candidate()}, part, Scouted{Genome{{1}}, {7}, {}, {2}}});
    const std::string text = read_file(path_);
    EXPECT_NE(text.find(R"("ranks":[1,4],"curve":{"epoch":[1,2],"learning_rate":[0.01,0.005],)"
                        R"("train_loss":[0.5,0.25],"val_rmse":[null,0.75]})"),
              std::string::npos)
        << text;
    const Journal journal = read_journal(path_);
    ASSERT_EQ(journal.events.size(), 3u);
    EXPECT_EQ(std::get<PartDone>(journal.events[1]).outcome.id, 3u);
    EXPECT_EQ(std::get<Scouted>(journal.events[2]).parents, std::vector<CandidateId>{2});
}

TEST_F(JournalTest, GoesOnWhereItEnded) {
    write({Note{"a", 1, ""}});
    write({Note{"b", 2, ""}}, 2);
    const Journal journal = read_journal(path_);
    ASSERT_EQ(journal.events.size(), 2u);
    EXPECT_EQ(std::get<Note>(journal.events[1]).what, "b");
}

TEST_F(JournalTest, CutAtAnyByteGivesTheWholeLinesBeforeTheCut) {
    write({Proposed{awkward_candidate()}, Note{"x", 3, "y"}, awkward_end()});
    const std::string bytes = read_file(path_);
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        overwrite(bytes.substr(0, length));
        const auto lines = static_cast<std::size_t>(
            std::count(bytes.begin(), bytes.begin() + static_cast<long>(length), '\n'));
        const Journal journal = read_journal(path_);
        EXPECT_EQ(journal.events.size(), lines == 0 ? 0 : lines - 1);
        EXPECT_EQ(journal.good_bytes, bytes.substr(0, length).rfind('\n') + 1);
    }
}

TEST_F(JournalTest, AFlippedBitInTheMiddleIsNoticed) {
    write({Proposed{awkward_candidate()}, Note{"x", 3, "y"}, awkward_end()});
    const std::string bytes = read_file(path_);
    const std::size_t last_line = bytes.rfind('\n', bytes.size() - 2) + 1;
    for (std::size_t byte = 0; byte < last_line; ++byte) {
        if (bytes[byte] == '\n') continue;  // joins two lines: the same as a bad one
        std::string flipped = bytes;
        flipped[byte] = static_cast<char>(flipped[byte] ^ 1);
        overwrite(flipped);
        EXPECT_THROW((void)read_journal(path_), CorruptState) << byte;
    }
}

TEST_F(JournalTest, AMissingLineIsNoticed) {
    write({Note{"a", 1, ""}, Note{"b", 2, ""}, Note{"c", 3, ""}});
    std::string bytes = read_file(path_);
    const std::size_t first = bytes.find('\n') + 1;
    bytes.erase(first, bytes.find('\n', first) + 1 - first);
    overwrite(bytes);
    EXPECT_THROW((void)read_journal(path_), CorruptState);
}

}  // namespace
}  // namespace edgeloop::journal_test
