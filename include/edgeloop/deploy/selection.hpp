#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/evaluation/candidate.hpp"

#include <map>
#include <string>
#include <vector>

namespace edgeloop {

/// What a search measured of a design, and how: the latency that a deployed model is held to. Of a
/// search on several classes of devices what that of its first such objective measured.
struct Promise {
    Metrics metrics;           ///< that measuring delivered; empty: nothing was measured
    std::string device;        ///< name; empty: none, or not known
    std::string device_class;  ///< of that device; empty: not known
    std::string runtime;       ///< e.g. "eager"; empty: not known
    std::string processor;     ///< e.g. "cpu"; empty: not known
    int threads = 0;           ///< 0: not known
    bool modelled = false;     ///< computed by no device

    [[nodiscard]] bool empty() const { return metrics.empty(); }
};

/// A row of a run's pareto.csv.
struct FrontMember {
    CandidateId id = 0;
    Metrics metrics;  ///< all that the row says, objectives included
    /// That measured it, by class of device as in the names of metrics; none: not known.
    std::map<std::string, std::string> devices;
    std::string conditions;  ///< as in the table, e.g. "1" or "1+2"
};

/// The front of a run directory as its tables tell it.
struct Front {
    std::vector<std::string> objectives;  ///< in the run's order; all are minimised
    std::vector<FrontMember> members;     ///< in the order of the table
    std::string phase;                    ///< of status.json, e.g. "finished"; empty: not known

    /// Whether the search may still change it.
    [[nodiscard]] bool may_change() const { return phase != "finished"; }
};

/// Reads pareto.csv, provenance.json and status.json; those of any release. Also while a search
/// writes there: each file is replaced as a whole.
/// @throws ConfigError   no run directory, or no front yet.
/// @throws CorruptState  a table that no search wrote.
[[nodiscard]] Front read_front(const std::string& run_dir);

/// Which member a word means, as an index into `front.members`; ties go to the smaller id.
///
/// fastest: the smallest latency_ms, or, in a run that measured none, of the objective with
/// latency_ in its name. best: the smallest val_rmse, or else the first objective. knee: with each
/// objective scaled to 0 to 1 over the front, the member with the smallest sum. For two objectives
/// that is the one farthest below the line through the two ends of the front (Das, "On
/// characterizing the knee of the Pareto curve", Structural Optimization 18, 1999).
///
/// @param which  an id, or knee, fastest or best.
/// @throws ConfigError  no such member or word; fastest without a latency.
[[nodiscard]] std::size_t find_member(const Front& front, const std::string& which,
                                      const std::string& run_dir);

/// A member of a run's front with all that its folder knows about it.
struct Selection {
    std::string run_dir;
    CandidateId id = 0;
    ArchitectureSpec spec;
    std::string weights_file;  ///< empty: the search kept none
    Metrics objectives;        ///< by name
    Metrics metrics;           ///< all that pareto.csv says, objectives included
    Promise promise;
    std::string phase;  ///< as in Front
    bool may_change = false;
};

/// @param which  as for find_member().
/// @throws ConfigError   as read_front() and find_member(); the run is of no networks, or the
///                       member has left the front meanwhile.
/// @throws CorruptState  as read_front().
[[nodiscard]] Selection select(const std::string& run_dir, const std::string& which);

}  // namespace edgeloop
