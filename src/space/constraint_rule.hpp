#pragma once

#include "edgeloop/core/object_reader.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// A rule between numbers of a design, e.g. "architecture.embed_dim % architecture.heads.0 == 0".
///
///   rule    = sum ("<" | "<=" | ">" | ">=" | "==" | "!=") sum
///   sum     = product {("+" | "-") product}
///   product = value {("*" | "/" | "%") value}
///   value   = number | name | "-" value | "(" sum ")"
///   name    = letter {letter | digit | "_" | "."}
class ConstraintRule {
  public:
    /// Value of a name, or nothing where it does not exist in the design.
    using Lookup = std::function<std::optional<double>(const std::string& name)>;

    /// @throws ConfigError  not in the grammar, or nested deeper than 64.
    [[nodiscard]] static ConstraintRule parse(const std::string& text, const Place& place);

    /// Whether the design obeys. A rule about a name that does not exist there does not apply; one
    /// that divides by zero is broken.
    [[nodiscard]] bool holds(const Lookup& lookup) const;
    [[nodiscard]] const std::string& text() const { return text_; }
    /// Every name used.
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

    /// A node of the expression tree; `operation` is the operator's character, 'n' for a number and
    /// 'x' for a name.
    struct Node {
        char operation;
        double number = 0;
        std::string name;
        std::shared_ptr<const Node> left, right;
    };

  private:
    std::string text_;
    std::string relation_;
    std::shared_ptr<const Node> left_, right_;
    std::vector<std::string> names_;
};

}  // namespace edgeloop
