#pragma once

#include "measuring.hpp"
#include "runtime.hpp"

namespace edgeloop {

/// Body of the hidden subcommand that runs in the measuring process: small, trusted, and without
/// anything of the agent's: its memory, keys, descriptors, environment. It has loaded the runtimes
/// when it starts; each request, a line of JSON on standard input, is measured in a process of its
/// own, of which nothing is left when one line with the result is written to `answer_fd`. Ends when
/// its input does.
///
/// Request: {"spec", "settings", "device_class", "limits"}, the last {"cores", "weights_folder",
/// "memory_limit_mib", "time_limit_s", "patience", "sandbox", "model_file", "vectors_file",
/// "device_class"}; the result as result_to_json(). With
/// {"sandbox_report": tries, "limits"} a line of sandbox_report(), or {"failed": why}.
/// @param prepare  as measure().
/// @return exit code.
int measuring_process_main(const RuntimeFactory& factory, const RuntimePreparation& prepare,
                           int answer_fd);

}  // namespace edgeloop
