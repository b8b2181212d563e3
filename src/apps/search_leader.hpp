#pragma once

#include "apps/search_task.hpp"

#include "edgeloop/store/kept_files.hpp"
#include "edgeloop/store/reuse_cache.hpp"

#include <memory>

namespace edgeloop::apps {

/// What only rank 0 does: it has the engine and the run directory, and says what came of a search.
class SearchLeader {
  public:
    SearchLeader(const SearchConfig& config, const SearchTask& task, int ranks);

    /// Makes or opens the run directory. Last of all preparations: a mistake found before it leaves
    /// nothing behind.
    void open_store() { store_ = open_run(store_options_); }

    /// @param agent  of this machine; null: there is none.
    /// @param coordinates_only  this process trains nothing itself.
    /// @param clock  null: real time.
    /// @throws Stopped; IoError when nothing worked.
    void search(Evaluator& evaluator, const Probes& probes, LocalAgent* agent,
                bool coordinates_only, SearchClock* clock = nullptr);

  private:
    const SearchConfig& config_;
    const SearchTask& task_;
    std::unique_ptr<Engine> engine_;
    ReuseCache earlier_;
    RunDirectoryOptions store_options_;
    std::unique_ptr<RunDirectory> store_;
};

}  // namespace edgeloop::apps
