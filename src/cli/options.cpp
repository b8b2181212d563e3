#include "edgeloop/cli/options.hpp"

#include "cli/config_file.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <type_traits>

#include <boost/program_options.hpp>
#include <fmt/format.h>

namespace po = boost::program_options;

namespace edgeloop::cli {
namespace {

enum class Takes { value, list, nothing };

// An option: what it takes, and how to and from its variable.
struct Bound {
    std::string name, help;
    Takes takes;
    /// @throws ConfigError  with the reason only.
    std::function<void(const std::vector<std::string>&)> assign;
    std::function<std::vector<std::string>()> values;  // one line of the config file each
};

std::string plain_name(std::string name) {
    name.erase(0, name.find_first_not_of('-'));
    return name;
}

std::string see_help(const std::string& hint, const std::string& program) {
    const bool asks = !hint.empty() && hint.back() == '?';
    return fmt::format("{}{}see {} --help", hint,
                       hint.empty() ? ""
                       : asks       ? " Or "
                                    : "; ",
                       program);
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// The whole text as a number; only "+5" is more than from_chars() takes.
template <class T>
bool read_number(const std::string& text, T& value) {
    const char* first = text.data() + (text.size() > 1 && text[0] == '+' && text[1] != '-' ? 1 : 0);
    T number{};
    const auto [end, error] = std::from_chars(first, text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    value = number;
    return true;
}

void read_value(const std::string& text, std::string& value) { value = text; }

void read_value(const std::string& text, int& value) {
    if (!read_number(text, value))
        throw ConfigError(fmt::format("it takes a whole number from {} to {}",
                                      std::numeric_limits<int>::min(),
                                      std::numeric_limits<int>::max()));
}

void read_value(const std::string& text, std::uint64_t& value) {
    if (!read_number(text, value)) throw ConfigError("it takes a whole number from 0 to 2^64-1");
}

void read_value(const std::string& text, double& value) {
    double number = 0;
    if (!read_number(text, number) || !std::isfinite(number))
        throw ConfigError("it takes a number such as 3, 0.5 or 1e-3");
    value = number;
}

void read_value(const std::string& text, bool& value) {
    const auto is_one_of = [&](std::initializer_list<const char*> words) {
        return std::find(words.begin(), words.end(), text) != words.end();
    };
    const bool on = is_one_of({"true", "yes", "on", "1"});
    if (!on && !is_one_of({"false", "no", "off", "0"}))
        throw ConfigError("a switch is true or false");
    value = on;
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
    std::set<std::string> given;
    bool silent = false;

    po::options_description& current() {
        if (groups.empty())
            groups.push_back(std::make_unique<po::options_description>("Options", 110));
        return *groups.back();
    }

    template <class T>
    void bind(const std::string& name, T* value, const std::string& help) {
        // For the library all values are text: it only takes the command line apart and writes
        // the help.
        constexpr bool is_switch = std::is_same_v<T, bool>;
        if constexpr (is_switch)
            current().add_options()(name.c_str(), help.c_str());
        else
            current().add_options()(name.c_str(),
                                    po::value<std::string>()->default_value(
                                        fmt::format("{}", *value), fmt::format("{}", *value)),
                                    help.c_str());
        bound.push_back(
            {name, help, is_switch ? Takes::nothing : Takes::value,
             [value](const std::vector<std::string>& texts) { read_value(texts.back(), *value); },
             [value] { return std::vector<std::string>{fmt::format("{}", *value)}; }});
    }

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
        std::vector<std::string> result{"help", "version", "config", "print-config"};
        for (const Bound& option : bound) {
            result.push_back(option.name);
            if (option.takes == Takes::nothing) result.push_back(no + option.name);
        }
        return result;
    }

    [[nodiscard]] ConfigError unknown(const std::string& name, const std::string& where) const {
        return ConfigError(fmt::format("{}: unknown option '{}'", where, name), {},
                           see_help(did_you_mean(plain_name(name), names()), program));
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
                    [&](const std::string& text) { read_value(text, on); });
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
                              fmt::format("see {} --help", program));
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
                              {}, fmt::format("see {} --help", program));
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

    // The config file.
    [[nodiscard]] Given read(const std::string& path) const {
        Given result;
        for (const ConfigLine& line : read_config_lines(read_file(path, 1u << 20), path)) {
            const std::string where = fmt::format("{} line {}", path, line.line);
            const Bound* option = find(line.name);
            if (option == nullptr) throw unknown(line.name, where);
            const bool first = result.count(line.name) == 0;
            std::vector<std::string>& values = result[line.name];
            if (option->takes == Takes::list) {
                if (line.value.empty() && !line.quoted) continue;  // no value: the empty list
            } else if (!first) {
                throw twice(where, line.name);
            }
            if (option->takes == Takes::nothing) {
                bool ignored = false;
                convert(where, line.name, line.value,
                        [&](const std::string& text) { read_value(text, ignored); });
            }
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
                              reason.problem(), fmt::format("see {} --help", program));
        }
    }

    void assign(const Given& source, const std::string& where) {
        for (const auto& [name, values] : source) {
            const Bound* option = find(name);
            if (option == nullptr) continue;
            given.insert(name);
            if (option->takes == Takes::list)
                option->assign(values);
            else
                convert(where, name, values.back(),
                        [&](const std::string& text) { option->assign({text}); });
        }
    }
};

OptionParser::OptionParser(std::string program, std::string summary)
    : impl_(std::make_unique<Impl>()) {
    impl_->program = std::move(program);
    impl_->summary = std::move(summary);
}
OptionParser::~OptionParser() = default;

void OptionParser::silence() { impl_->silent = true; }

void OptionParser::group(const std::string& title) {
    impl_->groups.push_back(std::make_unique<po::options_description>(title, 110));
}

void OptionParser::add(const std::string& name, std::string* value, const std::string& help) {
    impl_->bind(name, value, help);
}
void OptionParser::add(const std::string& name, int* value, const std::string& help) {
    impl_->bind(name, value, help);
}
void OptionParser::add(const std::string& name, std::uint64_t* value, const std::string& help) {
    impl_->bind(name, value, help);
}
void OptionParser::add(const std::string& name, double* value, const std::string& help) {
    impl_->bind(name, value, help);
}
void OptionParser::add(const std::string& name, bool* value, const std::string& help) {
    impl_->bind(name, value, help);
}

void OptionParser::add(const std::string& name, std::vector<std::string>* value,
                       const std::string& help) {
    impl_->current().add_options()(
        name.c_str(),
        po::value<std::vector<std::string>>()->multitoken()->default_value(
            *value, fmt::format("{}", fmt::join(*value, " "))),
        help.c_str());
    impl_->bound.push_back({name, help, Takes::list,
                            [value](const std::vector<std::string>& texts) { *value = texts; },
                            [value] { return *value; }});
}

void OptionParser::positional(const std::string& name, std::vector<std::string>* values,
                              const std::string& help) {
    impl_->positional_name = name;
    impl_->positional_values = values;
    impl_->positional_help = help;
}

bool OptionParser::parse(int argc, const char* const* argv, int first) {
    po::options_description common("Common", 110);
    common.add_options()("help,h", "show this help and exit")("version",
                                                              "show version and build and exit")(
        "config", po::value<std::string>(),
        "read options from this file; the command line wins, option by option")(
        "print-config", "print every option with its resolved value, as a config file, and exit");
    const std::vector<std::string> arguments(argv + std::min(first, argc), argv + argc);
    Impl::Given line = impl_->read(arguments, common);
    const auto answer = [&](const std::string& text) {
        if (!impl_->silent) print(text);
    };
    if (line.count("help") > 0) {
        answer(impl_->help_text(common));
        return false;
    }
    if (line.count("version") > 0) {
        answer(fmt::format("{} {}\n", impl_->program, build_description()));
        return false;
    }
    for (auto& [name, values] : line) {
        const Bound* option = impl_->find(name);
        if (option != nullptr && option->takes == Takes::list &&
            values == std::vector<std::string>{""})
            values.clear();
    }
    if (line.count("config") > 0) {
        const std::string path = line["config"].back();
        Impl::Given file = impl_->read(path);
        for (const auto& each : line) file.erase(each.first);
        impl_->assign(file, path);
    }
    impl_->assign(line, impl_->program);
    if (impl_->positional_values != nullptr && line.count(positional_words) > 0)
        *impl_->positional_values = line[positional_words];
    if (line.count("print-config") > 0) {
        answer(config_text());
        return false;
    }
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

std::vector<std::string> OptionParser::values(const std::string& name) const {
    const Bound* option = impl_->find(name);
    EDGELOOP_EXPECT(option != nullptr, "there is no option --" + name);
    return option->values();
}

std::set<std::string> OptionParser::read_old(const std::string& path) {
    std::string text;
    std::istringstream lines(read_file(path, 1u << 20));
    // Empty values were written as "#name =" once; what a line of help says begins with "# ".
    for (std::string line; std::getline(lines, line);) {
        const bool empty = line.size() > 3 && line[0] == '#' && line[1] != ' ' &&
                           line.compare(line.size() - 2, 2, " =") == 0;
        text += line.substr(empty ? 1 : 0) + '\n';
    }
    Impl::Given file;
    for (const ConfigLine& line : read_config_lines(text, path)) {
        const Bound* option = impl_->find(line.name);
        if (option == nullptr) continue;
        std::vector<std::string>& values = file[line.name];
        const bool none = option->takes == Takes::list && line.value.empty() && !line.quoted;
        if (!none) values.push_back(line.value);
    }
    impl_->assign(file, path);
    return impl_->given;
}

bool OptionParser::given(const std::string& name) const { return impl_->given.count(name) > 0; }

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
        print(
            fmt::format("{}: {}\n\nUsage: {} SUBCOMMAND [options]\n\n{}\n{} SUBCOMMAND --help "
                        "shows its options.\n",
                        program, summary, program, list, program));
        return 0;
    }
    if (wanted == "--version") {
        print(fmt::format("{} {}\n", program, build_description()));
        return 0;
    }
    for (const Subcommand& command : subcommands)
        if (command.name == wanted) return command.run(argc, argv);
    throw ConfigError(fmt::format("{}: unknown subcommand '{}'", program, wanted), {},
                      see_help(did_you_mean(wanted, names), program));
}

}  // namespace edgeloop::cli
