#pragma once

#include "edgeloop/core/json.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace edgeloop::report {

/// Bytes by columns, and a JSON text that says what is where: how tables travel in a page.
///
/// A column of numbers is kept in the narrowest form that gives every value back exactly: codes
/// into a list where few differ, whole numbers, float32, or doubles. The bytes of a column are
/// grouped by their place in the number, which compresses better.
class Encoder {
  public:
    /// Adds a column. @return what the page needs to read it.
    [[nodiscard]] Json numbers(const std::vector<double>& values);
    [[nodiscard]] Json texts(const std::vector<std::string>& values);
    /// The same with the column's name, as text that can be shown.
    [[nodiscard]] Json named(const std::string& name, const std::vector<double>& values);
    [[nodiscard]] Json named(const std::string& name, const std::vector<std::string>& values);

    /// All columns and the header, compressed and in base64: letters that no markup can be made of.
    [[nodiscard]] std::string packed(const Json& header) const;

  private:
    template <class T>
    void append(const std::vector<T>& values);
    [[nodiscard]] Json codes(const std::vector<std::uint32_t>& values, std::size_t most);

    std::string bytes_;
};

[[nodiscard]] std::string base64(const std::string& bytes);

}  // namespace edgeloop::report
