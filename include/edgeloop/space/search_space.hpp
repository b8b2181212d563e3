#pragma once

#include "edgeloop/architecture/design.hpp"
#include "edgeloop/core/hash.hpp"
#include "edgeloop/core/json.hpp"
#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/core/shipped.hpp"
#include "edgeloop/space/variable.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// A point of the search space: one number per variable, in the space's order.
///
/// A gene whose condition does not hold is inactive and is the variable's first, so that equal
/// designs are equal genomes.
struct Genome {
    std::vector<double> genes;
    friend bool operator==(const Genome& a, const Genome& b) { return a.genes == b.genes; }
    friend bool operator!=(const Genome& a, const Genome& b) { return !(a == b); }
};

/// The files of src/space/spaces/.
[[nodiscard]] const std::vector<ShippedFile>& shipped_spaces();

struct SpaceDefinition;

/// The set of designs a search may propose. Grammar of space files: src/space/README.md.
class SearchSpace {
  public:
    /// The space in a JSON file, or a shipped one by bare name, e.g. "hpc2edge".
    /// @throws ConfigError  with line and path of the mistake.
    /// @param base  merged over the file's own "base" (RFC 7396), e.g. {"training": {"epochs": 5}}.
    /// @param of_data  merged over that; follows from the data and is no part of identity().
    [[nodiscard]] static SearchSpace from_file(const std::string& path_or_name,
                                               const Json& base = Json::object(),
                                               const Json& of_data = Json::object());
    /// @throws ConfigError  with the path of the mistake.
    [[nodiscard]] static SearchSpace from_json(const Json& json, const std::string& where);
    /// The unit box [0,1]^n (or given bounds) of real genes, for analytic problems; decode() is not
    /// allowed.
    [[nodiscard]] static SearchSpace box(const std::vector<double>& lower,
                                         const std::vector<double>& upper);
    /// A box of genes of any kind, for problems that are no networks either, e.g. a table.
    /// REQUIRES: variables with names of their own, choices or bounds in order, and no paths.
    [[nodiscard]] static SearchSpace of_genes(const std::string& name,
                                              std::vector<Variable> variables);

    /// The same space as runs had it in which genes without effect still told designs apart: their
    /// journals go on only with the designs that they began with.
    [[nodiscard]] SearchSpace with_idle_genes() const;
    [[nodiscard]] bool has_idle_genes() const;

    [[nodiscard]] const std::string& name() const;
    [[nodiscard]] const std::vector<Variable>& variables() const;
    /// Number of distinct canonical genomes; infinity with real genes.
    [[nodiscard]] double size() const;
    /// The same, counting only genes that shape network or input: how many architectures there are.
    [[nodiscard]] double network_count() const;

    /// Whether designs may have quantised layers.
    [[nodiscard]] bool has_low_bits() const;

    /// Which genes exist in this genome. Shape (variables).
    [[nodiscard]] std::vector<bool> active(const Genome& genome) const;
    /// Sets inactive genes to their canonical value, clamps and rounds the others into their
    /// domain.
    void canonicalise(Genome& genome) const;
    /// Uniform over each gene's domain (log-uniform for log_real), canonical; may be infeasible.
    [[nodiscard]] Genome sample(RandomStream& random) const;
    /// A design, or the reason why there is none: a rule or limit of the space, or it cannot be
    /// built. Neither in a box.
    struct Decoded {
        DesignPtr design;
        std::string problem;
    };
    [[nodiscard]] Decoded try_decode(const Genome& genome) const;
    /// Its problem, or nothing; never in a box.
    [[nodiscard]] std::optional<std::string> infeasibility(const Genome& genome) const;
    /// REQUIRES: not box(). @throws LogicError when infeasible.
    [[nodiscard]] ArchitectureSpec decode(const Genome& genome) const;
    /// Identity of the design: that of its spec, in which genes of the recipe that have no effect
    /// have one value (src/space/README.md), so genomes of equal designs share it. In a box, and
    /// for infeasible genomes, that of the canonical genes.
    [[nodiscard]] Digest identity(const Genome& genome) const;
    /// Text of each gene for tables, empty where inactive. Shape (variables).
    [[nodiscard]] std::vector<std::string> describe(const Genome& genome) const;
    /// Digest of the whole space: a checkpoint of another space is refused.
    [[nodiscard]] Digest identity() const;

  private:
    explicit SearchSpace(std::shared_ptr<const SpaceDefinition> definition);

    std::shared_ptr<const SpaceDefinition> definition_;  // immutable, so copies share it
};

}  // namespace edgeloop
