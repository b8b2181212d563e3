// Main of every MPI test program: a failure on any rank is a failure of all, a fatal one ends the
// job at once instead of leaving the other ranks in a collective, and a run without tests fails.
#include "mpi_world.hpp"

#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

namespace {

class AbortOnFatalFailure : public testing::EmptyTestEventListener {
    void OnTestPartResult(const testing::TestPartResult& result) override {
        if (!result.fatally_failed() || edgeloop::test::world().size() == 1) return;
        std::fprintf(stderr, "rank %d: %s:%d: %s\n", edgeloop::test::world().rank(),
                     result.file_name() != nullptr ? result.file_name() : "?", result.line_number(),
                     result.summary());
        edgeloop::MpiSession::abort(1);
    }
};

}  // namespace

namespace edgeloop::test {

Communicator& world() {
    static Communicator communicator;
    return communicator;
}

}  // namespace edgeloop::test

int main(int argc, char** argv) {
    edgeloop::MpiSession session(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    edgeloop::test::world() = session.world();
    const edgeloop::Communicator& world = edgeloop::test::world();
    testing::UnitTest& tests = *testing::UnitTest::GetInstance();
    tests.listeners().Append(new AbortOnFatalFailure);
    if (world.rank() != 0)
        delete tests.listeners().Release(tests.listeners().default_result_printer());

    const int failed = RUN_ALL_TESTS();
    const bool any_ran = tests.test_to_run_count() > tests.skipped_test_count();
    if (!any_ran && world.rank() == 0) std::fprintf(stderr, "no test ran\n");
    const double worst =
        world.all_reduce(std::max(failed, any_ran ? 0 : 1), edgeloop::Reduction::max);
    if (worst > 0 && failed != 0) std::fprintf(stderr, "rank %d: tests failed\n", world.rank());
    edgeloop::test::world() = edgeloop::Communicator();
    return int(worst);
}
