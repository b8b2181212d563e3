#pragma once

#include "edgeloop/core/range.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace edgeloop::cli {

constexpr int first_option = 2;  ///< of a program with subcommands: argv[1] is one

/// What a setting belongs to. It decides what may be resumed or reused with another value.
enum class Scope {
    none,       ///< this start alone: planning, messages
    run,        ///< how the run goes on and where it writes; no result depends on it
    engine,     ///< which designs are tried: another value is another run
    training,   ///< what is found out by training
    measuring,  ///< what is found out by measuring
};

/// A setting as it stands; `values` are its lines in the config file.
struct Setting {
    std::string name;
    Scope scope;
    std::vector<std::string> values;
};

/// A value that has a word for each of its forms; see spelled().
struct Spelled {
    std::function<void(const std::string&)> read;  ///< gets one of the words
    std::function<std::string()> text;
    std::vector<std::string> words;
};

/// E.g. spelled(&device, {{"cpu", Device::cpu}, {"cuda", Device::cuda}}).
template <class T>
[[nodiscard]] Spelled spelled(T* value, std::vector<std::pair<std::string, T>> words) {
    Spelled made;
    for (const auto& each : words) made.words.push_back(each.first);
    made.text = [value, words] {
        for (const auto& [word, meaning] : words)
            if (meaning == *value) return word;
        return std::string();
    };
    made.read = [value, words = std::move(words)](const std::string& said) {
        for (const auto& [word, meaning] : words)
            if (word == said) *value = meaning;
    };
    return made;
}

/// The settings of one program or subcommand: one add() says all about a setting, and the command
/// line, the config file, --help, --print-config and the checks follow from it.
///
/// Every program gets from here: --help, --version, --config FILE (the command line wins over it,
/// option by option), --print-config (a config file that reads back exactly), --list-options (for
/// scripts: name, what it takes and its words, between tabs). Unknown options and keys, and values
/// of the wrong type or out of range, are refused by the name of the option. --help says how lists,
/// switches and config files are written.
///
/// @code
///   int population = 32;
///   OptionParser parser("edgeloop-search", "searches ...");
///   parser.add("population", &population, "members of a generation", at_least(2));
///   if (!parser.parse(argc, argv)) return 0;   // --help, --version or --print-config was served
/// @endcode
class OptionParser {
  public:
    /// @param program   as typed, e.g. "edgeloop-data synth".
    /// @param summary   one or two sentences for --help.
    OptionParser(std::string program, std::string summary);
    ~OptionParser();

    /// Starts a new group of options in --help.
    /// @param scope  of each of them that does not say another.
    void group(const std::string& title, Scope scope = Scope::none);

    /// Where a value goes; a switch is a bool, a list a vector.
    using Target =
        std::variant<bool*, int*, std::uint64_t*, double*, std::string*, std::vector<int>*,
                     std::vector<double>*, std::vector<std::string>*, Spelled>;

    /// Binds --name; the variable's present value is the default. Lists may be given several times
    /// and take several values each time; a given list replaces the default and that of the config
    /// file, and one empty value makes it empty. A switch: --name or --name=true sets it, --no-name
    /// or --name=false takes it back, and the last of them counts; in a config file name = true or
    /// false.
    ///
    /// @param range  of each value; shown in --help.
    void add(const std::string& name, Target value, const std::string& help,
             const Range& range = {}, std::optional<Scope> scope = {});

    /// Words that follow the options, e.g. input files, go to `values`. Not part of the config
    /// file.
    void positional(const std::string& name, std::vector<std::string>* values,
                    const std::string& help);

    /// Parses command line and config file and assigns the variables.
    ///
    /// @param first   index in argv of the first argument that is an option.
    /// @param speaks  prints answers to --help and the like; of an MPI job only rank 0 does.
    /// @return false when --help, --version or --print-config was answered on stdout: exit with 0.
    /// @throws ConfigError
    [[nodiscard]] bool parse(int argc, const char* const* argv, int first = 1, bool speaks = true);

    /// What --print-config prints; call after parse().
    [[nodiscard]] std::string config_text() const;
    /// Every setting with its present value.
    [[nodiscard]] std::vector<Setting> settings() const;
    /// Assigns what a config file of an earlier version says, leaving out what is not known today.
    void read_old(const std::string& path);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// A subcommand of a program such as edgeloop-data.
struct Subcommand {
    std::string name;
    std::string summary;
    int (*run)(int argc, const char* const* argv);  ///< argv[1] is the subcommand, options from 2
};

/// Runs the subcommand named by argv[1]; serves --help and --version of the program itself.
/// @throws ConfigError  no or an unknown subcommand.
[[nodiscard]] int run_subcommand(const std::string& program, const std::string& summary,
                                 const std::vector<Subcommand>& subcommands, int argc,
                                 const char* const* argv);

}  // namespace edgeloop::cli
