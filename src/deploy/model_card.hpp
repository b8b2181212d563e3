#pragma once

#include "edgeloop/deploy/handover.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// Markdown: what the model predicts, what it was trained on, its figures with their spread and
/// intervals, limits, the licence of the data, how to run it.
[[nodiscard]] std::string model_card(const HandoverRequest& request, const Catalogue& catalogue,
                                     const Assessment& assessment,
                                     const std::vector<ModelFile>& files);

/// Markdown: what is in the folder and how it is checked.
[[nodiscard]] std::string handover_readme(const HandoverRequest& request,
                                          const std::vector<ModelFile>& files, std::size_t vectors);

}  // namespace edgeloop
