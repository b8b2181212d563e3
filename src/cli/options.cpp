#include "edgeloop/cli/options.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/build_info.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <sstream>

#include <boost/program_options.hpp>
#include <fmt/format.h>

namespace po = boost::program_options;

namespace edgeloop::cli {
namespace {

// An option as --print-config shows it.
struct Bound {
    std::string name, help;
    std::function<std::vector<std::string>()> values;  // one line each
};

std::string plain_name(std::string name) {
    name.erase(0, name.find_first_not_of('-'));
    return name;
}

std::string see_help(const std::string& hint, const std::string& program) {
    return fmt::format("{}{}see {} --help", hint, hint.empty() ? "" : " ", program);
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace

struct OptionParser::Impl {
    std::string program, summary;
    std::vector<std::unique_ptr<po::options_description>> groups;
    std::vector<Bound> bound;
    std::string positional_name;
    std::vector<std::string>* positional_values = nullptr;
    std::string positional_help;
    po::variables_map given;
    bool silent = false;

    po::options_description& current() {
        if (groups.empty())
            groups.push_back(std::make_unique<po::options_description>("Options", 110));
        return *groups.back();
    }

    template <class T>
    void bind(const std::string& name, T* value, const std::string& help) {
        // The text of a default is ours: the library's stream would show 0.1 as
        // 0.10000000000000001.
        current().add_options()(
            name.c_str(), po::value<T>(value)->default_value(*value, fmt::format("{}", *value)),
            help.c_str());
        bound.push_back(
            {name, help, [value] { return std::vector<std::string>{fmt::format("{}", *value)}; }});
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> result{"help", "version", "config", "print-config"};
        for (const Bound& option : bound) result.push_back(option.name);
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
        text << common;
        return text.str();
    }

    // Runs one of the library's parsers and turns its errors into ours.
    void translated(const std::string& where, const std::function<void()>& parse) const {
        try {
            parse();
        } catch (const po::unknown_option& error) {
            throw unknown(error.get_option_name(), where);
        } catch (const po::error& error) {
            std::string reason = error.what();
            throw ConfigError(fmt::format("{}: {}", where, reason), {},
                              fmt::format("see {} --help", program));
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
void OptionParser::add(const std::string& name, double* value, const std::string& help) {
    impl_->bind(name, value, help);
}

void OptionParser::add(const std::string& name, std::uint64_t* value, const std::string& help) {
    // As text first: the library's conversion accepts "-1" and wraps it round.
    const auto assign = [value, name, program = impl_->program](const std::string& text) {
        std::size_t used = 0;
        try {
            if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos)
                *value = std::stoull(text, &used);
        } catch (const std::out_of_range&) {
            used = 0;
        }
        if (used != text.size() || text.empty())
            throw ConfigError(fmt::format("{}: option '--{}' got '{}'", program, name, text),
                              "it takes a whole number from 0 to 2^64-1");
    };
    impl_->current().add_options()(
        name.c_str(),
        po::value<std::string>()->default_value(fmt::format("{}", *value))->notifier(assign),
        help.c_str());
    impl_->bound.push_back(
        {name, help, [value] { return std::vector<std::string>{fmt::format("{}", *value)}; }});
}

void OptionParser::add(const std::string& name, std::vector<std::string>* value,
                       const std::string& help) {
    impl_->current().add_options()(
        name.c_str(),
        po::value<std::vector<std::string>>(value)->multitoken()->composing()->default_value(
            *value, fmt::format("{}", fmt::join(*value, " "))),
        help.c_str());
    impl_->bound.push_back({name, help, [value] { return *value; }});
}

void OptionParser::add(const std::string& name, bool* value, const std::string& help) {
    impl_->current().add_options()(
        name.c_str(), po::bool_switch(value)->default_value(*value, *value ? "true" : "false"),
        help.c_str());
    impl_->bound.push_back(
        {name, help, [value] { return std::vector<std::string>{*value ? "true" : "false"}; }});
}

void OptionParser::positional(const std::string& name, std::vector<std::string>* values,
                              const std::string& help) {
    impl_->positional_name = name;
    impl_->positional_values = values;
    impl_->positional_help = help;
}

bool OptionParser::parse(int argc, const char* const* argv, int first) {
    po::options_description common("Common", 110);
    std::string config_file;
    common.add_options()("help,h", "show this help and exit")("version",
                                                              "show version and build and exit")(
        "config", po::value<std::string>(&config_file),
        "read options from this INI file; the command line wins")(
        "print-config", "print every option with its resolved value, as a config file, and exit");

    po::options_description settable, all, hidden;
    for (const auto& group : impl_->groups) settable.add(*group);
    all.add(settable).add(common);
    po::positional_options_description words;
    if (impl_->positional_values != nullptr) {
        hidden.add_options()("positional-words",
                             po::value<std::vector<std::string>>(impl_->positional_values));
        all.add(hidden);
        words.add("positional-words", -1);
    }

    const std::vector<std::string> arguments(argv + std::min(first, argc), argv + argc);
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::variables_map& values = impl_->given;
    impl_->translated(impl_->program, [&] {
        try {
            po::store(po::command_line_parser(arguments)
                          .options(all)
                          .positional(words)
                          .style(style)
                          .run(),
                      values);
        } catch (const po::too_many_positional_options_error&) {
            const auto stray =
                std::find_if(arguments.begin(), arguments.end(),
                             [](const std::string& word) { return word.rfind('-', 0) != 0; });
            throw ConfigError(
                fmt::format("{}: takes no words without an option before them, found '{}'",
                            impl_->program, stray == arguments.end() ? "" : *stray),
                {}, fmt::format("see {} --help", impl_->program));
        }
    });
    const auto answer = [&](const std::string& text) {
        if (!impl_->silent) print(text);
    };
    if (values.count("help") > 0) {
        answer(impl_->help_text(common));
        return false;
    }
    if (values.count("version") > 0) {
        answer(fmt::format("{} {}\n", impl_->program, build_description()));
        return false;
    }
    if (values.count("config") > 0) {
        const std::string path = values["config"].as<std::string>();
        std::istringstream text(read_file(path, 1u << 20));
        impl_->translated(path, [&] { po::store(po::parse_config_file(text, settable), values); });
    }
    impl_->translated(impl_->program, [&] { po::notify(values); });
    if (values.count("print-config") > 0) {
        answer(config_text());
        return false;
    }
    return true;
}

std::string OptionParser::config_text() const {
    std::string text = fmt::format("# {} {}\n", impl_->program, build_description());
    for (const Bound& option : impl_->bound) {
        text += fmt::format("\n# {}\n", option.help);
        const auto values = option.values();
        // An empty value can't be told from a missing one in an INI file, so it stays a comment.
        if (values.empty() || (values.size() == 1 && values[0].empty()))
            text += fmt::format("#{} =\n", option.name);
        else
            for (const std::string& value : values)
                text += fmt::format("{} = {}\n", option.name, value);
    }
    return text;
}

bool OptionParser::given(const std::string& name) const {
    const auto found = impl_->given.find(name);
    return found != impl_->given.end() && !found->second.defaulted();
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
