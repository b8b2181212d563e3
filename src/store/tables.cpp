#include "store/tables.hpp"

#include "edgeloop/core/text.hpp"
#include "edgeloop/evaluation/metrics.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop {
namespace {

// Quoted as RFC 4180 asks when it holds a comma, a quote or a line break.
std::string cell(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + '"';
}

bool is_continuous(const Variable& variable) {
    return variable.kind == GeneKind::real || variable.kind == GeneKind::log_real;
}

/// Writes the columns all tables share: objectives, genes, the other metrics.
class DesignColumns {
  public:
    DesignColumns(const TableLayout& layout, const std::set<std::string>& metric_names)
        : layout_(layout) {
        const auto& objectives = layout.objectives;
        for (const std::string& name : metric_names)
            if (std::find(objectives.begin(), objectives.end(), name) == objectives.end() &&
                !has_meaning(name, Meaning::cost))
                others_.push_back(name);
    }

    void put_header(std::string& out) const {
        for (const std::string& name : layout_.objectives) out += ',' + cell(name);
        for (const Variable& variable : layout_.space->variables())
            out += ',' + cell(variable.name);
        for (const std::string& name : others_) out += ',' + cell(name);
        out += ",conditions";
    }

    void put_device_header(std::string& out) const {
        if (!layout_.devices.empty()) out += ",device";
    }
    void put_device(std::string& out, CandidateId id) const {
        if (layout_.devices.empty()) return;
        const auto found = layout_.devices.find(id);
        out += ',' + (found == layout_.devices.end() ? std::string() : cell(found->second));
    }

    void put_row(std::string& out, const CompletedCandidate& completed) const {
        put_metrics(out, layout_.objectives, completed.metrics);
        put_genes(out, completed.candidate.genome);
        put_metrics(out, others_, completed.metrics);
        const auto conditions = layout_.conditions.find(completed.candidate.id);
        out += ',';
        if (conditions != layout_.conditions.end())
            out += fmt::format("{}", fmt::join(conditions->second, "+"));
    }

  private:
    static void put_metrics(std::string& out, const std::vector<std::string>& names,
                            const Metrics& metrics) {
        for (const std::string& name : names) {
            const auto found = metrics.find(name);
            out += ',';
            if (found != metrics.end()) out += shortest(found->second);
        }
    }

    // Real genes with all their digits, so that a row can be evaluated again.
    void put_genes(std::string& out, const Genome& genome) const {
        const std::vector<Variable>& variables = layout_.space->variables();
        const std::vector<bool> active = layout_.space->active(genome);
        std::vector<std::string> texts;
        if (!std::all_of(variables.begin(), variables.end(), is_continuous))
            texts = layout_.space->describe(genome);
        for (std::size_t i = 0; i < variables.size(); ++i) {
            out += ',';
            if (!active[i]) continue;
            out += is_continuous(variables[i]) ? shortest(genome.genes[i]) : cell(texts[i]);
        }
    }

    const TableLayout& layout_;
    std::vector<std::string> others_;  ///< metrics that are no objectives
};

}  // namespace

std::string pareto_table(const TableLayout& layout, const std::vector<ArchiveMember>& front) {
    std::set<std::string> names;
    for (const ArchiveMember& member : front)
        for (const auto& metric : member.completed.metrics) names.insert(metric.first);
    const DesignColumns columns(layout, names);
    std::string out = "id";
    columns.put_header(out);
    columns.put_device_header(out);
    out += '\n';
    for (const ArchiveMember& member : front) {
        out += std::to_string(member.completed.candidate.id);
        columns.put_row(out, member.completed);
        columns.put_device(out, member.completed.candidate.id);
        out += '\n';
    }
    return out;
}

std::string evaluations_table(const TableLayout& layout,
                              const std::vector<const CompletedCandidate*>& rows) {
    std::set<std::string> names;
    for (const CompletedCandidate* row : rows)
        for (const auto& metric : row->metrics) names.insert(metric.first);
    const DesignColumns columns(layout, names);
    std::string out = "id,status";
    columns.put_header(out);
    columns.put_device_header(out);
    out += ",generation,epochs,training_seconds,measuring_seconds,reason\n";
    for (const CompletedCandidate* row : rows) {
        out += std::to_string(row->candidate.id) + ',' + to_string(row->status);
        columns.put_row(out, *row);
        columns.put_device(out, row->candidate.id);
        out += ',' + std::to_string(row->candidate.generation) + ',' +
               std::to_string(row->candidate.epochs) + ',' + shortest(row->training_seconds) + ',' +
               shortest(row->measuring_seconds) + ',' + cell(row->reason) + '\n';
    }
    return out;
}

std::string progress_header(const TableLayout& layout) {
    std::string out = "time_ms,done,front,hypervolume";
    for (const std::string& objective : layout.objectives) out += ',' + cell("best_" + objective);
    return out + '\n';
}

std::string progress_row(const TableLayout& layout, const Progress& progress,
                         std::int64_t time_ms) {
    std::string out = std::to_string(time_ms) + ',' + std::to_string(progress.done) + ',' +
                      std::to_string(progress.front) + ',';
    if (progress.hypervolume) out += shortest(*progress.hypervolume);
    for (const std::string& objective : layout.objectives) {
        const auto found = progress.best.find(objective);
        out += ',';
        if (found != progress.best.end()) out += shortest(found->second);
    }
    return out + '\n';
}

}  // namespace edgeloop
