#pragma once

#include "edgeloop/core/access.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/search/run_store.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace edgeloop {

/// What the results of a run depend on: options, digests of data and the like, by name.
struct RunConditions {
    using Values = std::map<std::string, std::string>;

    Values search;     ///< which designs are tried; the same for all of a run
    Values training;   ///< what a training finds out
    Values measuring;  ///< what a measurement finds out
};

enum class StartMode { fresh, resume };

struct RunDirectoryOptions {
    std::string path;
    StartMode mode = StartMode::fresh;
    /// Whose run it is; must outlive the store. Its seed, space and objectives make two starts the
    /// same run, besides RunConditions::search: a resume with others is refused.
    const Engine* engine = nullptr;
    RunConditions conditions;  ///< goes to conditions.json
    /// Those of the run that is resumed as its other files tell: for what its conditions.json, if
    /// there is one, does not name.
    RunConditions earlier;
    bool allow_changed = false;        ///< resume under other conditions of training and measuring
    std::string config_text;           ///< becomes config.ini
    Json provenance = Json::object();  ///< becomes provenance.json, together with the identity
    Access access = Access::owner;     ///< for whom what is written is; Access::group to share it
};

/// A run directory on disk. Layout and file formats: src/store/README.md.
///
/// One process at a time: a lock is held as long as the object lives.
class RunDirectory : public RunStore {
  public:
    /// Adds records of the devices that measured to provenance.json, beside those that are there.
    /// Each is JSON text; what differs only in its "conditions" is the same device.
    virtual void add_devices(const std::vector<std::string>& devices) = 0;
    /// Seconds so far in record(), commit(), snapshot() and publish(): what keeping the run costs.
    [[nodiscard]] virtual double seconds() const = 0;
};

/// What status.json says.
[[nodiscard]] Json status_json(const Progress& progress);

/// Creates or reopens the directory.
/// @throws ConfigError  fresh and there is a run already; resume and there is none, or it is of
///                      another space, seed, engine or set of objectives, or under other
///                      conditions that are not allowed to change; another process holds it;
///                      it is another user's, or something in it is a link that would be written
///                      through.
/// @throws IoError      cannot be written.
[[nodiscard]] std::unique_ptr<RunDirectory> open_run(RunDirectoryOptions options);

}  // namespace edgeloop
