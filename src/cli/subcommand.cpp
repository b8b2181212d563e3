#include "cli/setting.hpp"

#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"


#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgeloop::cli {

std::string see_help(const std::string& hint, const std::string& program) {
    const bool asks = !hint.empty() && hint.back() == '?';
    return fmt::format("{}{}see {} --help", hint,
                       hint.empty() ? ""
                       : asks       ? " Or "
                                    : "; ",
                       program);
}

int run_subcommand(const std::string& program, const std::string& summary,
                   const std::vector<Subcommand>& subcommands, int argc, const char* const* argv) {
    std::vector<std::string> names;
    std::string list;
    for (const Subcommand& command : subcommands) {
        names.push_back(command.name);
        list += fmt::format("  {:<10} {}\n", command.name, command.summary);
    }
    if (argc < 2)
        throw ConfigError(fmt::format("{}: which subcommand?", program), {},
                          fmt::format("one of {}; see {} --help", fmt::join(names, ", "), program));
    const std::string wanted = argv[1];
    if (wanted == "--help" || wanted == "-h") {
        fmt::print(
            "{}: {}\n\nUsage: {} SUBCOMMAND [options]\n\n{}\n{} SUBCOMMAND --help "
            "shows its options.\n",
            program, summary, program, list, program);
        return 0;
    }
    if (wanted == "--version") {
        fmt::print("{} {}\n", program, build_description());
        return 0;
    }
    for (const Subcommand& command : subcommands)
        if (command.name == wanted) return command.run(argc, argv);
    throw ConfigError(fmt::format("{}: unknown subcommand '{}'", program, wanted), {},
                      see_help(did_you_mean(wanted, names), program));
}

}  // namespace edgeloop::cli
