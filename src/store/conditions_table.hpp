#pragma once

#include "edgeloop/store/run_directory.hpp"

#include <optional>
#include <string>
#include <vector>

namespace edgeloop {

/// "--threads 1, now 2" for each name that both have with different values.
[[nodiscard]] std::vector<std::string> differences(const RunConditions::Values& before,
                                                   const RunConditions::Values& now);

/// A note in the journal: what follows was made under the conditions of this number.
[[nodiscard]] Note conditions_note(int number);
/// The number, if it is such a note. @throws CorruptState  it is none.
[[nodiscard]] std::optional<int> conditions_in(const Note& note);

/// conditions.json: the conditions under which the results of a run were made, numbered from 1.
class ConditionsTable {
  public:
    /// Of a run that begins, or began before there were such tables, as far as it is known.
    /// @param about  kept beside them: when, by which build, where.
    ConditionsTable(const RunConditions& first, const Json& about);
    /// @param earlier  what was in force for names that the file does not have: it is older than
    ///                 they are.
    /// @throws CorruptState
    static ConditionsTable read(const std::string& path, const RunConditions& earlier);

    /// Numbers the conditions of a new start, with the number they had if they were in force
    /// before.
    ///
    /// @throws ConfigError  the search is another one; training or measuring changed and that is
    ///                      not allowed.
    void start(const RunConditions& now, bool allow_changed, const std::string& folder,
               const Json& about);

    [[nodiscard]] int current() const { return current_; }
    struct Entry {
        RunConditions::Values training, measuring;
        Json about;
    };
    /// Those with this number. @throws CorruptState  there are none.
    [[nodiscard]] const Entry& at(int number) const;
    [[nodiscard]] Json json() const;

  private:
    ConditionsTable() = default;

    RunConditions::Values search_;
    std::vector<Entry> entries_;  ///< number 1 first
    int current_ = 1;
};

}  // namespace edgeloop
