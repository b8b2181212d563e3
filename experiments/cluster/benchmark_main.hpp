#pragma once

#include "edgeloop/comm/session.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/program.hpp"

#include <cstdio>
#include <cstdlib>
#include <functional>

namespace edgeloop {

/// The numbers on a benchmark's command line.
class Numbers {
  public:
    Numbers(int argc, char** argv) : argc_(argc), argv_(argv) {}
    /// The one at this position, from 1, or a default.
    [[nodiscard]] long at(int position, long otherwise) const {
        return position < argc_ ? std::atol(argv_[position]) : otherwise;
    }

  private:
    int argc_;
    char** argv_;
};

/// A benchmark's main: runs the body on all ranks and prints what it returns on rank 0.
inline int benchmark_main(
    int argc, char** argv,
    const std::function<Json(const Numbers& numbers, const Communicator& world)>& body) {
    return run_program(
        [&] {
            const MpiSession session(argc, argv);
            const Json result = body(Numbers(argc, argv), session.world());
            if (session.world().rank() == 0) std::printf("%s\n", result.dump(2).c_str());
            return 0;
        },
        MpiSession::abort);
}

}  // namespace edgeloop
