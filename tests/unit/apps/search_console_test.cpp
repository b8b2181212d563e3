#include "apps/search_console.hpp"

#include "support/search_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgeloop::apps::search_console_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ArchiveMember member(CandidateId id, Metrics metrics) {
    ArchiveMember made;
    made.completed.candidate.id = id;
    made.completed.metrics = std::move(metrics);
    return made;
}

TEST(Console, SaysBetterOrWorseThanWithoutANetworkAndNeverMinus) {
    const ArchiveMember good = member(3, {{"val_rmse", 0.1}, {"baseline_rmse", 0.25}}),
                        bad = member(4, {{"val_rmse", 0.8025}, {"baseline_rmse", 0.25}}),
                        equal = member(7, {{"val_rmse", 0.25}, {"baseline_rmse", 0.25}});
    EXPECT_EQ(baseline_lines({good}),
              "best val_rmse 0.1000, 60 % better than without a network (0.2500)\n");
    const std::string worse = baseline_lines({bad});
    EXPECT_THAT(worse, HasSubstr("221 % worse than without a network"));
    EXPECT_THAT(worse, HasSubstr("design that is no better"));
    EXPECT_THAT(worse, HasSubstr("train longer"));
    EXPECT_THAT(worse, Not(HasSubstr("-221")));
    const std::string mixed = baseline_lines({bad, good, equal});
    EXPECT_THAT(mixed, HasSubstr("60 % better"));
    EXPECT_THAT(mixed, HasSubstr("designs that are no better than without a network "
                                 "(baseline_rmse in pareto.csv): 4, 7;"));
}

TEST(Console, SaysNothingOfBaselinesThatAreNotKnown) {
    EXPECT_EQ(baseline_lines({}), "");
    EXPECT_EQ(baseline_lines({member(1, {{"val_rmse", 0.1}}), member(2, {{"f1", 1}})}), "");
}

TEST(Console, NeverShowsMoreDesignsThanThereAreToDo) {
    Progress progress;
    progress.done = 16;
    progress.total = 6;  // resumed with fewer --evaluations than were done
    EXPECT_EQ(progress_line(progress, {}), "16/16 designs");
}

TEST(Console, ShowsHowMuchOfTheBudgetIsSpent) {
    Progress progress;
    progress.done = 16;
    progress.effort = Effort{"epochs", 120, 500};
    progress.eta_seconds = 72;
    EXPECT_EQ(progress_line(progress, {}), "16 designs | 120/500 epochs (24 %) | ETA 1:12");
    progress.total = 40;
    EXPECT_EQ(progress_line(progress, {}), "16/40 designs | 120/500 epochs (24 %) | ETA 1:12");
}

TEST(Console, CostsAreOfThisStartAndNeverMoreThanAllOfIt) {
    EXPECT_EQ(cost_line(36, {0, 10, 0.1}),
              "36 designs in 0:10; journal, checkpoints and tables took 1.00 % of that time");
    EXPECT_EQ(cost_line(36, {36, 2, 2.0066, 0.1}),
              "0 designs in 0:02 (36 were done in earlier starts); journal, checkpoints and tables "
              "took 100.00 % of that time; rank 0 used 5.00 % of a core");
}

TEST(Console, TheFrontShowsWholeDesignsAndWhatTheyShareOnce) {
    const std::size_t genes = 40;  // far more than fit a line of 100 characters
    const SearchSpace space = test::unit_box(genes);
    Goals goals;
    goals.objectives = {"f1", "f2"};
    std::vector<ArchiveMember> front(2);
    for (std::size_t i = 0; i < 2; ++i) {
        front[i].completed.candidate.id = i + 1;
        front[i].completed.candidate.genome.genes.assign(genes, 0.5);
        front[i].completed.candidate.genome.genes[genes - 1] = 0.25 * double(i + 1);
        front[i].objectives = {double(i), 1 - double(i)};
    }
    const std::string table = front_table(front, goals, space);
    const std::string first = space.variables()[0].name, last = space.variables()[genes - 1].name;
    EXPECT_THAT(table, HasSubstr(last + "=0.25")) << table;
    EXPECT_THAT(table, HasSubstr(last + "=0.5"));
    EXPECT_THAT(table, HasSubstr("  all of these: " + first + "=0.5"));
    EXPECT_EQ(table.find(first + "="), table.rfind(first + "=")) << "once";
    EXPECT_THAT(table, Not(HasSubstr("...")));
    EXPECT_EQ(front_table({}, goals, space), "");
}

TEST(Console, SaysWhatIsConfirmedAndHowSureItIs) {
    const SearchSpace space = test::unit_box(2);
    Goals goals;
    goals.objectives = {"val_rmse", "latency_ms"};
    ArchiveMember made = member(3, {{"val_rmse_se", 0.0213}});
    made.completed.candidate.genome.genes = {0.5, 0.5};
    made.objectives = {0.27512, 1};
    EXPECT_THAT(front_table({made}, goals, space), HasSubstr("  0.2751 +- 0.021           1"));
    Progress progress;
    progress.done = progress.total = 12;
    progress.hypervolume = 0.5;
    progress.reference = {0.3, 2};
    EXPECT_EQ(progress_line(progress, {}), "12/12 designs | hypervolume 0.5 up to 0.3, 2");
    EXPECT_EQ(confirmation_lines(progress, 3), "");
    progress.confirms = true;
    progress.front = 4;
    progress.confirmed = 3;
    EXPECT_EQ(progress_line(progress, {}),
              "12/12 designs | hypervolume 0.5 up to 0.3, 2 | 3 of 4 on the front confirmed");
    EXPECT_EQ(confirmation_lines(progress, 3), "") << "nothing had to be";
    progress.repeats = 9;
    EXPECT_THAT(confirmation_lines(progress, 3),
                HasSubstr("9 trainings confirmed 3 designs in all"));
    progress.left_unconfirmed = 2;
    EXPECT_THAT(confirmation_lines(progress, 3),
                HasSubstr("2 designs left out of the front unconfirmed"));
}

TEST(Console, SaysWhatToDoNextAsCommandsForAShell) {
    const std::vector<NextStep> steps = next_steps("my runs/a", "shards");
    ASSERT_EQ(steps.size(), 3u);
    EXPECT_THAT(steps[0].command, HasSubstr("edgeloop-report 'my runs/a'"));
    EXPECT_THAT(steps[1].command,
                HasSubstr("edgeloop-model train --from 'my runs/a' --select knee --data shards "
                          "--out 'my runs/a/trained'"));
    EXPECT_THAT(steps[2].command,
                HasSubstr("edgeloop-model deploy --model 'my runs/a/trained' --data shards --out "
                          "'my runs/a/handover'"));
    EXPECT_EQ(next_steps("a", "").size(), 1u);
    const std::string text = closing_lines("my runs/a", steps, "72 for --evaluations");
    for (const NextStep& step : steps) EXPECT_THAT(text, HasSubstr(step.command + "\n"));
    EXPECT_THAT(text, HasSubstr("with 72 for --evaluations, and --resume"));
    EXPECT_THAT(closing_lines("a", steps, ""), Not(HasSubstr("--resume")));
}

TEST(Console, NoNameOfOthersReachesTheTerminalAsItIs) {
    Progress progress;
    progress.done = 3;
    progress.link = LinkState{"no device of class 'x\x1b[2J\u202e\n' connected", false, 0};
    Goals goals;
    goals.objectives = {"error\x1b]0;owned\x07"};  // as a table may call its column
    progress.best[goals.objectives[0]] = 1;
    EXPECT_EQ(progress_line(progress, goals),
              "3 designs | best error\\u{1b}]0;owned\\u{7} 1 | edge: no device of class "
              "'x\\u{1b}[2J\\u{202e}\\u{a}' connected");
    ArchiveMember made = member(3, {});
    made.completed.candidate.genome.genes = {0.5, 0.5};
    made.objectives = {1};
    const std::string table = front_table({made}, goals, test::unit_box(2));
    EXPECT_THAT(table, HasSubstr("error\\u{1b}]0;owned\\u{7}"));
    EXPECT_THAT(table, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace edgeloop::apps::search_console_test
