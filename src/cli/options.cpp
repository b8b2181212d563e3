#include "edgeloop/cli/options.hpp"

#include "cli/setting.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <sstream>
#include <utility>

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace po = boost::program_options;

namespace edgeloop::cli {
namespace {

// A hint followed by where there is more.
std::string see_help(const std::string& hint, const std::string& program) {
    const char* between = hint.empty() ? "" : hint.back() == '?' ? " Or " : "; ";
    return fmt::format("{}{}see {} --help", hint, between, program);
}

constexpr const char* positional_words = "positional-words";
constexpr const char* no = "no-";  // before the name of a switch

// How options and config files are written; the end of every --help.
constexpr const char* manners =
    "A switch is turned off by --no-NAME or --NAME=false, also one that the config file sets.\n"
    "A list on the command line replaces that of the config file; \"\" makes it empty.\n"
    "A config file has lines 'name = value', one for each value of a list; a value that needs it\n"
    "stands in double quotes. A comment begins with # at the start of a line or after a blank.\n";

}  // namespace

struct OptionParser::Impl {
    /// The values that one source, command line or file, gives to an option.
    using Given = std::map<std::string, std::vector<std::string>>;

    std::string program, summary;
    std::vector<std::unique_ptr<po::options_description>> groups;
    std::vector<Bound> bound;
    std::string positional_name;
    std::vector<std::string>* positional_values = nullptr;
    std::string positional_help;
    Scope scope = Scope::none;  ///< of the present group

    [[nodiscard]] const Bound* find(const std::string& name) const {
        const auto found = std::find_if(bound.begin(), bound.end(),
                                        [&](const Bound& option) { return option.name == name; });
        return found == bound.end() ? nullptr : &*found;
    }

    [[nodiscard]] bool is_switch(const std::string& name) const {
        const Bound* option = find(name);
        return option != nullptr && option->takes == Takes::nothing;
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> result{"help", "version", "config", "print-config",
                                        "list-options"};
        for (const Bound& option : bound) {
            result.push_back(option.name);
            if (option.takes == Takes::nothing) result.push_back(no + option.name);
        }
        return result;
    }

    [[nodiscard]] ConfigError unknown(const std::string& name, const std::string& where) const {
        const std::string plain = name.substr(std::min(name.find_first_not_of('-'), name.size()));
        return ConfigError(fmt::format("{}: unknown option '{}'", where, name), {},
                           see_help(did_you_mean(plain, names()), program));
    }

    [[nodiscard]] std::string help_text(const po::options_description& common) const {
        std::ostringstream text;
        text << program << ": " << summary << "\n\nUsage: " << program << " [options]";
        if (positional_values != nullptr)
            text << " " << positional_name << "...   " << positional_help;
        text << "\n\n";
        for (const auto& group : groups) text << *group << "\n";
        text << common << "\n" << manners;
        return text.str();
    }

    // A line for each option: its name, what it takes, and the words it may have.
    [[nodiscard]] std::string listed(const po::options_description& common) const {
        std::string text;
        for (const Bound& option : bound) {
            const char* const takes = option.takes == Takes::nothing ? "switch"
                                      : option.takes == Takes::list  ? "list"
                                                                     : "value";
            text += fmt::format("--{}\t{}\t{}\n", option.name, takes,
                                fmt::join(option.range.words, " "));
        }
        for (const auto& option : common.options())
            text += fmt::format("--{}\t{}\t\n", option->long_name(),
                                option->semantic()->max_tokens() > 0 ? "value" : "switch");
        return text;
    }

    // --switch=VALUE as --switch or --no-switch, which is all that the library knows.
    [[nodiscard]] std::vector<std::string> plain_switches(
        std::vector<std::string> arguments) const {
        for (std::string& word : arguments) {
            if (word == "--") break;
            const auto equals = word.find('=');
            if (word.rfind("--", 0) != 0 || equals == std::string::npos) continue;
            const std::string name = word.substr(2, equals - 2);
            if (!is_switch(name)) continue;
            bool on = false;
            convert(program, name, word.substr(equals + 1),
                    [&](const std::string& text) { on = read_switch(text); });
            word = (on ? "--" : "--no-") + name;
        }
        return arguments;
    }

    // The command line taken apart.
    [[nodiscard]] Given read(const std::vector<std::string>& arguments,
                             const po::options_description& common) const {
        po::options_description all;
        for (const auto& group : groups) all.add(*group);
        all.add(common);
        po::options_description hidden;
        for (const Bound& option : bound)
            if (option.takes == Takes::nothing)
                hidden.add_options()((no + option.name).c_str(), "");
        hidden.add_options()(positional_words, po::value<std::vector<std::string>>());
        all.add(hidden);
        po::positional_options_description words;
        words.add(positional_words, -1);
        const int style =
            po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
        Given result;
        try {
            const auto parsed = po::command_line_parser(plain_switches(arguments))
                                    .options(all)
                                    .positional(words)
                                    .style(style)
                                    .run();
            for (const po::option& each : parsed.options) take(each, result);
        } catch (const po::unknown_option& error) {
            throw unknown(error.get_option_name(), program);
        } catch (const po::error& error) {
            throw ConfigError(fmt::format("{}: {}", program, error.what()), {},
                              see_help({}, program));
        }
        return result;
    }

    // Adds one occurrence of an option on the command line to the others.
    void take(const po::option& each, Given& result) const {
        const std::string& name = each.string_key;
        if (name == positional_words && positional_values == nullptr)
            throw ConfigError(fmt::format("{}: takes no words without an option before them, "
                                          "found '{}'",
                                          program, each.value.at(0)),
                              {}, see_help({}, program));
        if (is_switch(name)) {
            result[name] = {"true"};
        } else if (name.rfind(no, 0) == 0 && is_switch(name.substr(3))) {
            result[name.substr(3)] = {"false"};
        } else {
            const Bound* option = find(name);
            const bool once = name == "config" || (option && option->takes == Takes::value);
            if (once && result.count(name) > 0) throw twice(program, "--" + name);
            std::vector<std::string>& values = result[name];
            values.insert(values.end(), each.value.begin(), each.value.end());
        }
    }

    // A config file. One of an earlier version may name what is not known today, and is not
    // checked.
    [[nodiscard]] Given read(const std::string& text, const std::string& path, bool old) const {
        Given result;
        for (const ConfigLine& line : read_config_lines(text, path)) {
            const std::string where = fmt::format("{} line {}", path, line.line);
            const Bound* option = find(line.name);
            if (option == nullptr && old) continue;
            if (option == nullptr) throw unknown(line.name, where);
            const bool first = result.count(line.name) == 0;
            std::vector<std::string>& values = result[line.name];
            if (option->takes == Takes::list) {
                if (line.value.empty() && !line.quoted) continue;  // no value: the empty list
            } else if (!first && !old) {
                throw twice(where, line.name);
            }
            if (option->takes == Takes::nothing && !old)
                convert(where, line.name, line.value,
                        [](const std::string& said) { (void)read_switch(said); });
            values.push_back(line.value);
        }
        return result;
    }

    [[nodiscard]] ConfigError twice(const std::string& where, const std::string& name) const {
        return ConfigError(fmt::format("{}: option '{}' is given twice", where, name),
                           "it takes one value", "drop one of them");
    }

    // Adds place, option and text to what a conversion says.
    void convert(const std::string& where, const std::string& name, const std::string& text,
                 const std::function<void(const std::string&)>& conversion) const {
        try {
            conversion(text);
        } catch (const ConfigError& reason) {
            throw ConfigError(fmt::format("{}: option '--{}' got '{}'", where, name, text),
                              reason.problem(), see_help({}, program));
        }
    }

    void assign(const Given& source, const std::string& where) {
        for (const auto& [name, values] : source) {
            const Bound* option = find(name);
            if (option == nullptr) continue;
            convert(where, name, fmt::format("{}", fmt::join(values, " ")),
                    [&](const std::string&) { option->assign(values); });
        }
    }
};

OptionParser::OptionParser(std::string program, std::string summary)
    : impl_(std::make_unique<Impl>()) {
    impl_->program = std::move(program);
    impl_->summary = std::move(summary);
}
OptionParser::~OptionParser() = default;

void OptionParser::group(const std::string& title, Scope scope) {
    impl_->scope = scope;
    impl_->groups.push_back(std::make_unique<po::options_description>(title, 110));
}

void OptionParser::add(const std::string& name, Target value, const std::string& help,
                       const Range& range, std::optional<Scope> scope) {
    Bound option = bound_to(value, range);
    option.name = name;
    option.help = help;
    option.scope = scope.value_or(impl_->scope);
    if (option.range.needed) option.help += " [required]";
    if (const std::string values = option.range.text(); !values.empty())
        option.help += " [" + values + "]";
    // For the library all values are text: it only takes the command line apart and writes
    // the help.
    const std::vector<std::string> now = option.values();
    const std::string shown = fmt::format("{}", fmt::join(now, " "));
    if (impl_->groups.empty())
        impl_->groups.push_back(std::make_unique<po::options_description>("Options", 110));
    auto entry = impl_->groups.back()->add_options();
    if (option.takes == Takes::nothing)
        entry(option.name.c_str(), option.help.c_str());
    else if (option.takes == Takes::list)
        entry(option.name.c_str(),
              po::value<std::vector<std::string>>()->multitoken()->default_value(now, shown),
              option.help.c_str());
    else
        entry(option.name.c_str(), po::value<std::string>()->default_value(shown, shown),
              option.help.c_str());
    impl_->bound.push_back(std::move(option));
}

void OptionParser::positional(const std::string& name, std::vector<std::string>* values,
                              const std::string& help) {
    impl_->positional_name = name;
    impl_->positional_values = values;
    impl_->positional_help = help;
}

bool OptionParser::parse(int argc, const char* const* argv, int first, bool speaks) {
    po::options_description common("Common", 110);
    common.add_options()("help,h", "show this help and exit")("version",
                                                              "show version and build and exit")(
        "config", po::value<std::string>(),
        "read options from this file; the command line wins, option by option")(
        "print-config", "print every option with its resolved value, as a config file, and exit")(
        "list-options", "print every option, what it takes and its words, for scripts, and exit");
    const std::vector<std::string> arguments(argv + std::min(first, argc), argv + argc);
    Impl::Given line = impl_->read(arguments, common);
    const auto answer = [&](const std::string& text) {
        if (speaks) std::fputs(text.c_str(), stdout);
        return false;
    };
    if (line.count("help") > 0) return answer(impl_->help_text(common));
    if (line.count("version") > 0)
        return answer(fmt::format("{} {}\n", impl_->program, build_description()));
    if (line.count("list-options") > 0) return answer(impl_->listed(common));
    for (auto& [name, values] : line) {
        const Bound* option = impl_->find(name);
        if (option != nullptr && option->takes == Takes::list &&
            values == std::vector<std::string>{""})
            values.clear();
    }
    if (line.count("config") > 0) {
        const std::string path = line["config"].back();
        Impl::Given file = impl_->read(read_file(path, 1u << 20), path, false);
        for (const auto& each : line) file.erase(each.first);
        impl_->assign(file, path);
    }
    impl_->assign(line, impl_->program);
    if (impl_->positional_values != nullptr && line.count(positional_words) > 0)
        *impl_->positional_values = line[positional_words];
    // Of a file that may be somebody else's.
    if (line.count("print-config") > 0) return answer(printable_lines(config_text()));
    for (const Bound& option : impl_->bound)
        if (option.range.needed && option.values() == std::vector<std::string>{""})
            throw ConfigError(fmt::format("--{} is missing", option.name), {},
                              see_help({}, impl_->program));
    return true;
}

std::string OptionParser::config_text() const {
    std::string text = fmt::format("# {} {}\n", impl_->program, build_description());
    for (const Bound& option : impl_->bound) {
        text += fmt::format("\n# {}\n", option.help);
        const std::vector<std::string> values = option.values();
        const bool bare = values.empty() || (option.takes != Takes::list && values[0].empty());
        if (bare) text += fmt::format("{} =\n", option.name);
        if (!bare)
            for (const std::string& value : values)
                text += fmt::format("{} = {}\n", option.name, config_value(value));
    }
    return text;
}

std::vector<Setting> OptionParser::settings() const {
    std::vector<Setting> result;
    for (const Bound& option : impl_->bound)
        result.push_back({option.name, option.scope, option.values()});
    return result;
}

void OptionParser::read_old(const std::string& path) {
    std::string text;
    std::istringstream lines(read_file(path, 1u << 20));
    // Empty values were written as "#name =" once; what a line of help says begins with "# ".
    for (std::string line; std::getline(lines, line);) {
        const bool empty = line.size() > 3 && line[0] == '#' && line[1] != ' ' &&
                           line.compare(line.size() - 2, 2, " =") == 0;
        text += line.substr(empty ? 1 : 0) + '\n';
    }
    impl_->assign(impl_->read(text, path, true), path);
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
    if (wanted == "--list-options") {
        for (const std::string& name : names) fmt::print("{}\tsubcommand\t\n", name);
        fmt::print("--help\tswitch\t\n--version\tswitch\t\n");
        return 0;
    }
    for (const Subcommand& command : subcommands)
        if (command.name == wanted) return command.run(argc, argv);
    throw ConfigError(fmt::format("{}: unknown subcommand '{}'", program, wanted), {},
                      see_help(did_you_mean(wanted, names), program));
}

}  // namespace edgeloop::cli
