#pragma once

#include "drift_guard.hpp"
#include "measuring_process.hpp"

#include "edgeloop/link/agent_session.hpp"

#include <string>

namespace edgeloop {

struct ServeOptions {
    AgentOptions link;  ///< its record gets "sandbox": what holds networks here
    ProcessOptions process;
    DriftOptions drift;
    std::string
        turns_file;       ///< shared with trainings of this machine (MeasuringTurns); empty: none
    std::string runtime;  ///< of whose jobs alone it takes any; empty: of all
    pid_t parent = 0;     ///< end when this process, which started the agent, has ended; 0: never
};

/// Takes jobs, measures each in a process of its own and answers, until a stop signal arrives or
/// the parent is gone.
void serve(const ServeOptions& options);

}  // namespace edgeloop
