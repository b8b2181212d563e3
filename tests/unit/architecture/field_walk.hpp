#pragma once

#include "edgeloop/architecture/families.hpp"

#include <string>
#include <vector>

namespace edgeloop::test {

/// A value for one field of a spec, just inside or just outside what the field's list says.
struct FieldCase {
    Json spec;         ///< with the value
    std::string path;  ///< of the field, dotted
    Json value;
    bool is_inside;
};

/// The smallest legal values for everything that has no default.
void fill(const std::vector<Field>& fields);

/// Every field of every family, of the clip and of the training.
[[nodiscard]] std::vector<FieldCase> field_cases();

}  // namespace edgeloop::test
