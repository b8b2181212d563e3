#include "space/constraint_rule.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <cctype>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace edgeloop {
namespace {

using Node = ConstraintRule::Node;
using NodePointer = std::shared_ptr<const Node>;
constexpr int deepest_nesting = 64;

/// Recursive descent over one rule; one method for each line of the grammar.
class RuleParser {
  public:
    RuleParser(const std::string& text, const Place& place) : text_(text), place_(place) {}

    NodePointer sum() {
        NodePointer left = product();
        while (next_is('+') || next_is('-')) left = combine(take(), left, &RuleParser::product);
        return left;
    }

    std::string relation() {
        for (const char* candidate : {"<=", ">=", "==", "!=", "<", ">"})
            if (next() != '\0' &&
                text_.compare(at_, std::string(candidate).size(), candidate) == 0) {
                at_ += std::string(candidate).size();
                return candidate;
            }
        reject("a comparison");
    }

    void end() {
        if (next() != '\0') reject("the end");
    }

    std::vector<std::string> names;

  private:
    [[noreturn]] void reject(const std::string& expected) const {
        constexpr std::size_t max_quote = 80;
        const std::string quote =
            text_.size() > max_quote ? std::string(beginning(text_, max_quote)) + "..." : text_;
        throw ConfigError(fmt::format("{}: rule '{}': expected {} at character {}", place_.text(),
                                      quote, expected, at_ + 1));
    }

    char next() {
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool next_is(char c) { return next() == c; }
    char take() { return text_[at_++]; }

    NodePointer combine(char operation, NodePointer left, NodePointer (RuleParser::*operand)()) {
        return std::make_shared<Node>(Node{operation, 0, {}, std::move(left), (this->*operand)()});
    }

    NodePointer product() {
        NodePointer left = value();
        while (next_is('*') || next_is('/') || next_is('%'))
            left = combine(take(), left, &RuleParser::value);
        return left;
    }

    NodePointer value() {
        if (++depth_ > deepest_nesting) reject("less nesting");
        NodePointer node = unguarded_value();
        --depth_;
        return node;
    }

    NodePointer unguarded_value() {
        const char first = next();
        if (first == '-') {
            take();
            return combine('-', std::make_shared<Node>(Node{'n', 0, {}, nullptr, nullptr}),
                           &RuleParser::value);
        }
        if (first == '(') {
            take();
            NodePointer inner = sum();
            if (!next_is(')')) reject("')'");
            take();
            return inner;
        }
        if (std::isdigit(static_cast<unsigned char>(first)) != 0) return number();
        if (std::isalpha(static_cast<unsigned char>(first)) != 0) return name();
        reject("a number, a name or '('");
    }

    NodePointer number() {
        double parsed = 0;
        const auto [end, problem] =
            std::from_chars(text_.data() + at_, text_.data() + text_.size(), parsed);
        if (problem != std::errc()) reject("a number");
        at_ = static_cast<std::size_t>(end - text_.data());
        return std::make_shared<Node>(Node{'n', parsed, {}, nullptr, nullptr});
    }

    NodePointer name() {
        const std::size_t begin = at_;
        const auto belongs = [](char c) {
            return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
        };
        while (at_ < text_.size() && belongs(text_[at_])) ++at_;
        names.push_back(text_.substr(begin, at_ - begin));
        return std::make_shared<Node>(Node{'x', 0, names.back(), nullptr, nullptr});
    }

    const std::string& text_;
    const Place& place_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

/// Remainder with the sign of the divisor, as in mathematics.
double modulo(double a, double b) { return a - b * std::floor(a / b); }

/// @return NaN when a division by zero is involved.
double evaluate(const Node& node, const ConstraintRule::Lookup& lookup) {
    if (node.operation == 'n') return node.number;
    if (node.operation == 'x') return lookup(node.name).value();
    const double left = evaluate(*node.left, lookup), right = evaluate(*node.right, lookup);
    switch (node.operation) {
        case '+':
            return left + right;
        case '-':
            return left - right;
        case '*':
            return left * right;
        case '/':
            return right == 0 ? std::nan("") : left / right;
        default:
            return right == 0 ? std::nan("") : modulo(left, right);
    }
}

}  // namespace

ConstraintRule ConstraintRule::parse(const std::string& text, const Place& place) {
    // Terms nest one in the other when the rule is evaluated.
    constexpr std::size_t longest = 4096;
    if (text.size() > longest)
        throw ConfigError(fmt::format("{}: a rule of {} characters", place.text(), text.size()), {},
                          fmt::format("use at most {}, or several rules", longest));
    RuleParser parser(text, place);
    ConstraintRule rule;
    rule.text_ = text;
    rule.left_ = parser.sum();
    rule.relation_ = parser.relation();
    rule.right_ = parser.sum();
    parser.end();
    rule.names_ = std::move(parser.names);
    return rule;
}

bool ConstraintRule::holds(const Lookup& lookup) const {
    for (const std::string& name : names_)
        if (!lookup(name)) return true;
    const double left = evaluate(*left_, lookup), right = evaluate(*right_, lookup);
    if (std::isnan(left) || std::isnan(right)) return false;
    if (relation_ == "<") return left < right;
    if (relation_ == "<=") return left <= right;
    if (relation_ == ">") return left > right;
    if (relation_ == ">=") return left >= right;
    return (left == right) == (relation_ == "==");
}

}  // namespace edgeloop
