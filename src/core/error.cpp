#include "edgeloop/core/error.hpp"

#include <fmt/format.h>

namespace edgeloop {
namespace {

std::string compose(const std::string& problem, const std::string& why,
                    const std::string& suggestion) {
    std::string text = problem;
    if (!why.empty()) text += " (" + why + ")";
    if (!suggestion.empty()) text += "; " + suggestion;
    return text;
}

}  // namespace

Error::Error(ExitCode code, std::string problem, std::string why, std::string suggestion)
    : std::runtime_error(compose(problem, why, suggestion)),
      code_(code),
      problem_(std::move(problem)),
      why_(std::move(why)),
      suggestion_(std::move(suggestion)) {}

namespace detail {

void broken_expectation(const char* condition, const std::string& message, const char* file,
                        int line) {
    throw LogicError(message, fmt::format("{}:{}: '{}' does not hold", file, line, condition),
                     "this is a bug in edgeloop, please report it");
}

}  // namespace detail
}  // namespace edgeloop
