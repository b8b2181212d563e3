#pragma once

#include "deploy/model_files.hpp"

#include "edgeloop/deploy/handover.hpp"

#include <string>

namespace edgeloop {

/// Markdown: what the model predicts, what it was trained on, its figures with their spread and
/// intervals, limits, the licence of the data, how to run it.
[[nodiscard]] std::string model_card(const HandoverRequest& request, const Catalogue& catalogue,
                                     const Assessment& assessment, const DeployedFiles& files);

/// Markdown: what is in the folder and how it is checked.
[[nodiscard]] std::string handover_readme(const HandoverRequest& request,
                                          const DeployedFiles& files, std::size_t vectors);

}  // namespace edgeloop
