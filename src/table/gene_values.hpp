#pragma once

#include "edgeloop/space/variable.hpp"
#include "edgeloop/table/description.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edgeloop {

/// Collects the different values in the column of a gene, and makes its variable of them.
class GeneValues {
  public:
    explicit GeneValues(TableGene gene);

    /// Number of a cell's text, from 0 in the order of appearance.
    /// @param place  of the cell, for messages; asked for only when there is one.
    /// @throws ConfigError  the text is no value of such a gene.
    [[nodiscard]] std::uint32_t number_of(std::string_view text,
                                          const std::function<std::string()>& place);

    /// What the column comes to, once it was read.
    struct Made {
        Variable variable;
        std::vector<double> values;         ///< of a gene that is a number itself, ascending
        std::vector<std::uint32_t> places;  ///< of each number_of(): among choices or values
    };
    /// @throws ConfigError
    [[nodiscard]] Made made() const;

  private:
    [[nodiscard]] const GeneTraits& traits() const {
        return gene_kinds[static_cast<std::size_t>(gene_.kind)];
    }
    void check(std::string_view text, const std::function<std::string()>& place) const;
    [[nodiscard]] std::vector<std::string> choices() const;
    [[nodiscard]] std::vector<double> all_values() const;

    TableGene gene_;
    std::vector<std::string> given_;  ///< choices of the description, as texts
    std::map<std::string, std::uint32_t, std::less<>> numbers_;
    std::string last_;  ///< looked up; the next cell often has the same
    std::optional<std::uint32_t> last_number_;
};

}  // namespace edgeloop
