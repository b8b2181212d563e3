#pragma once

#include "edgeloop/core/access.hpp"
#include "edgeloop/search/engine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop {

/// The files of single candidates in a run directory: unfinished trainings (training/<id>.state)
/// and weights (weights/<id>.safetensors). Sees to it that they go when nobody needs them any more.
class KeptFiles {
  public:
    /// Removes what killed processes left half written. REQUIRES: nobody writes there yet.
    ///
    /// @param rung_limit_bytes  of trainings that wait for a place on a higher rung; beyond it the
    ///                          oldest go, and are trained anew if they are promoted after all.
    /// @param access  as RunDirectoryOptions::access.
    KeptFiles(std::string run_dir, std::uint64_t rung_limit_bytes, Access access = Access::owner);

    /// Gives the bytes that stay.
    std::uint64_t tidy(const EngineState& state) const;
    /// The weights of the front so far are in models/<id>/, too, from now on; they are replaced as
    /// a whole where a later training's are the member's.
    void show(const std::vector<ArchiveMember>& front) const;
    /// Takes over weights that another run kept, as those of this candidate. A link is not
    /// followed: the other run may be somebody else's. @throws IoError
    void adopt(const std::string& weights_file, CandidateId id) const;
    /// The search is over: the front's weights go to models/<id>/weights.safetensors, all else
    /// goes.
    /// @return how many members of the front have no weights.
    std::size_t finish(const std::vector<ArchiveMember>& front) const;

  private:
    std::string run_dir_;
    std::uint64_t rung_limit_bytes_;
    Access access_;
};

}  // namespace edgeloop
