#pragma once

#include "edgeloop/training/trainer.hpp"

#include <string>
#include <vector>

namespace edgeloop {

/// curve.csv: a row for each epoch of each repeat. Columns: repeat, from 1, epoch, learning_rate,
/// train_loss, val_rmse, the other metrics of validation, and, with an average, averaged_val_rmse.
[[nodiscard]] std::string curve_table(const std::vector<std::vector<EpochRecord>>& repeats);

/// The last epoch for people, e.g. "epoch 3/20 | rate 0.001 | train_loss 0.0121 | val_rmse 0.2113".
[[nodiscard]] std::string epoch_line(const std::vector<EpochRecord>& curve, int epochs);

}  // namespace edgeloop
