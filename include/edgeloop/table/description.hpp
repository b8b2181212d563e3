#pragma once

#include "edgeloop/core/json.hpp"
#include "edgeloop/space/variable.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// A column that is searched.
struct TableGene {
    std::string column;
    GeneKind kind = GeneKind::categorical;
    std::vector<Json> choices = {};  ///< texts or numbers, in order; empty: those of the column
};

/// What the columns of a table are. What it does not say follows from the columns: without genes,
/// those of text are the genes; other numbers are results of training. Format of the file that says
/// it: src/table/README.md.
struct TableDescription {
    std::optional<std::vector<TableGene>> genes;  ///< all of them; nothing: every column of text
    std::vector<TableGene> more_genes;            ///< besides these, or one of them more exactly
    std::vector<std::string> objectives;          ///< when nobody asks for others
    std::vector<std::string> measured;            ///< columns that the edge device delivers
    std::vector<std::string> counted;             ///< columns that are known without evaluation
    /// Objectives that training for fewer epochs gives too: their columns by epochs.
    std::map<std::string, std::map<int, std::string>> fidelities;
    std::string epoch_seconds;  ///< column with the seconds that one epoch trains; empty: none
};

/// The description in a JSON file. @throws ConfigError  with line and path of the mistake.
[[nodiscard]] TableDescription read_table_description(const std::string& path);

/// Where a description lies beside its table: its name with .json for .tsv or .tsv.gz.
[[nodiscard]] std::string description_beside(const std::string& table);

/// A gene as an option says it: "width", or "width:ordinal" with its kind.
[[nodiscard]] TableGene table_gene_from(const std::string& text);

/// Adds a fidelity as an option says it: "error@12=error_e12". @throws ConfigError
void add_fidelity(const std::string& text, TableDescription& description);

}  // namespace edgeloop
