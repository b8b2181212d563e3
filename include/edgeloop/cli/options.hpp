#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace edgeloop::cli {

/// The options of one program or subcommand, bound to variables.
///
/// Every program gets from here: --help, --version, --config FILE (the command line wins over it,
/// option by option), --print-config (every option with its resolved value, itself a config file
/// that reads back exactly). Unknown options and keys, and values of the wrong type, are refused
/// with the nearest known name. --help says how lists, switches and config files are written.
///
/// @code
///   int population = 32;
///   OptionParser parser("edgeloop-search", "searches ...");
///   parser.add("population", &population, "members of a generation");
///   if (!parser.parse(argc, argv)) return 0;   // --help, --version or --print-config was served
/// @endcode
class OptionParser {
  public:
    /// @param program   as typed, e.g. "edgeloop-data synth".
    /// @param summary   one or two sentences for --help.
    OptionParser(std::string program, std::string summary);
    ~OptionParser();
    OptionParser(const OptionParser&) = delete;
    OptionParser& operator=(const OptionParser&) = delete;

    /// Starts a new group of options in --help.
    void group(const std::string& title);

    /// Binds --name; the variable's present value is the default. Lists may be given several times
    /// and take several values each time; a given list replaces the default and that of the config
    /// file, and one empty value makes it empty.
    void add(const std::string& name, std::string* value, const std::string& help);
    void add(const std::string& name, int* value, const std::string& help);
    void add(const std::string& name, std::uint64_t* value, const std::string& help);
    void add(const std::string& name, double* value, const std::string& help);
    void add(const std::string& name, std::vector<std::string>* value, const std::string& help);
    /// A switch: --name or --name=true sets it, --no-name or --name=false takes it back, and the
    /// last of them counts; in a config file name = true or false.
    void add(const std::string& name, bool* value, const std::string& help);

    /// Words that follow the options, e.g. input files, go to `values`. Not part of the config
    /// file.
    void positional(const std::string& name, std::vector<std::string>* values,
                    const std::string& help);

    /// Answers to --help and the like are not printed: for the ranks of an MPI job other than 0.
    void silence();

    /// Parses command line and config file and assigns the variables.
    ///
    /// @param first  index in argv of the first argument that is an option (2 after a subcommand).
    /// @return false when --help, --version or --print-config was answered on stdout: exit with 0.
    /// @throws ConfigError
    [[nodiscard]] bool parse(int argc, const char* const* argv, int first = 1);

    /// What --print-config prints; call after parse().
    [[nodiscard]] std::string config_text() const;
    /// The lines of an option in it: one of most, any number of a list.
    [[nodiscard]] std::vector<std::string> values(const std::string& name) const;
    /// Assigns what a config file of an earlier version says, leaving out what is not known today.
    ///
    /// @return the names it tells something about.
    std::set<std::string> read_old(const std::string& path);
    /// Whether the user gave this option, on the command line or in the config file.
    [[nodiscard]] bool given(const std::string& name) const;

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
