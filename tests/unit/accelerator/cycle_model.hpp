#pragma once

#include "edgeloop/accelerator/cost.hpp"

#include <cstdint>
#include <deque>
#include <vector>

namespace edgeloop::accelerator::test {

/// The handshakes of a pipeline stepped through cycle by cycle, state by state as the registers of
/// the generated text have it; knows nothing of how timing_of() reasons.
class CycleModel {
  public:
    explicit CycleModel(const Circuit& circuit) : circuit_(circuit) {
        for (const Unit& unit : circuit.units) modules_.push_back(module_of(unit));
    }

    [[nodiscard]] Timing run() {
        const std::int64_t pixels = circuit_.graph.input.positions();
        std::int64_t sent = 0, first = 0, last = 0;
        std::vector<std::int64_t> answers;
        for (std::int64_t cycle = 0; answers.size() < 3; ++cycle) {
            std::vector<bool> offered{sent < 3 * pixels}, moves;
            for (const Module& module : modules_) {
                moves.push_back(offered.back() && module.ready(offered.back()));
                offered.push_back(module.queue > 0);
            }
            moves.push_back(offered.back());  // answers are always taken
            if (moves.front() && sent++ == 0) first = cycle;
            if (moves.front() && sent == pixels) last = cycle;
            if (moves.back()) answers.push_back(cycle);
            for (std::size_t i = 0; i < modules_.size(); ++i)
                modules_[i].clock(cycle, moves[i], moves[i + 1], offered[i]);
        }
        return {answers[0] - last, answers[2] - answers[1], answers[0] - first};
    }

  private:
    struct Module {
        const Unit* unit = nullptr;
        const inference::Layer* layer = nullptr;
        inference::Triple grid{}, at{0, 0, 0}, edge{0, 0, 0};
        bool whole = false;
        std::int64_t fold = 0, folds = 1, position = 0, channel = 0;
        bool adding = true;
        int room = 0, queue = 0;
        std::deque<std::int64_t> pushes;  ///< cycles of what is on its way

        [[nodiscard]] bool in_grid() const {
            for (std::size_t d = 0; d < 3; ++d)
                if (at[d] < edge[d] || at[d] >= edge[d] + unit->input.shape.grid[d]) return false;
            return true;
        }
        [[nodiscard]] bool ends_window() const {
            for (std::size_t d = 0; d < 3; ++d) {
                const int k = layer->kernel[d];
                if (unit->kind == UnitKind::max_pool) {
                    if (at[d] % k != k - 1 || at[d] / k >= unit->output.shape.grid[d]) return false;
                } else if (at[d] < k - 1 || (at[d] - k + 1) % layer->stride[d] != 0) {
                    return false;
                }
            }
            return true;
        }
        [[nodiscard]] bool begins_result() const {
            return fold == 0 &&
                   (unit->kind != UnitKind::product || position + 1 == unit->positions);
        }
        [[nodiscard]] bool issues(bool offered) const {
            const bool has = unit->kind == UnitKind::window ? whole : offered;
            return has && (!begins_result() || room > 0);
        }
        [[nodiscard]] bool ready(bool offered) const {
            switch (unit->kind) {
                case UnitKind::window:
                    return (!whole || (issues(offered) && fold == folds - 1)) && in_grid();
                case UnitKind::product:
                    return issues(offered) && fold == folds - 1;
                case UnitKind::max_pool:
                    return !ends_window() || room > 0;
                case UnitKind::mean:
                    break;
            }
            return adding;
        }
        void walk() {
            for (std::size_t d = 3; d-- > 0;) {
                if (++at[d] < grid[d]) return;
                at[d] = 0;
            }
        }
        void clock(std::int64_t cycle, bool takes, bool gives, bool offered) {
            bool starts = false;
            switch (unit->kind) {
                case UnitKind::window: {
                    const bool issue = issues(offered), ends = issue && fold == folds - 1;
                    starts = issue && fold == 0;
                    if (ends) pushes.push_back(cycle + unit->depth);
                    const bool shifts = (!whole || ends) && (takes || !in_grid());
                    if (issue) fold = ends ? 0 : fold + 1;
                    if (shifts) {
                        whole = ends_window();
                        walk();
                    } else if (ends) {
                        whole = false;
                    }
                    break;
                }
                case UnitKind::product: {
                    const bool issue = issues(offered), ends = issue && fold == folds - 1;
                    starts = issue && begins_result();
                    const bool finishes = position + 1 == unit->positions;
                    if (ends && finishes) pushes.push_back(cycle + unit->depth);
                    if (issue) fold = ends ? 0 : fold + 1;
                    if (ends) position = finishes ? 0 : position + 1;
                    break;
                }
                case UnitKind::max_pool:
                    starts = takes && ends_window();
                    if (starts) pushes.push_back(cycle);
                    if (takes) walk();
                    break;
                case UnitKind::mean: {
                    const bool divides = !adding && (channel > 0 || room > 0);
                    const int channels = unit->input.shape.channels;
                    starts = divides && channel == 0;
                    if (divides && channel + 1 == channels) pushes.push_back(cycle + unit->depth);
                    if (takes && ++position == unit->input.shape.positions()) {
                        position = 0;
                        adding = false;
                    }
                    if (divides && ++channel == channels) {
                        channel = 0;
                        adding = true;
                    }
                    break;
                }
            }
            room += int(gives) - int(starts);
            queue -= int(gives);
            for (; !pushes.empty() && pushes.front() == cycle; pushes.pop_front()) ++queue;
        }
    };

    Module module_of(const Unit& unit) const {
        Module module;
        module.unit = &unit;
        module.layer = &circuit_.graph.layers[unit.layer];
        module.grid = unit.input.shape.grid;
        if (unit.kind == UnitKind::window) {
            module.edge = module.layer->before;
            for (std::size_t d = 0; d < 3; ++d)
                module.grid[d] += module.layer->before[d] + module.layer->after[d];
        }
        module.folds = unit.folding.cycles();
        module.room = unit.buffer;
        return module;
    }

    const Circuit& circuit_;
    std::vector<Module> modules_;
};

}  // namespace edgeloop::accelerator::test
