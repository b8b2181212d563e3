#include "edgeloop/cli/options.hpp"
#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/program.hpp"
#include "edgeloop/core/stop.hpp"
#include "edgeloop/core/text.hpp"
#include "edgeloop/report/export.hpp"
#include "edgeloop/report/report.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

namespace edgeloop {
namespace {

struct ReportSettings {
    std::string run, output, figures, form = "page";
    std::vector<std::string> compare;
    bool watch = false;
    double every = 10;
    report::PageOptions page;
};

struct Form {
    const char* name;
    const char* file;  ///< in the run directory, unless told otherwise
    std::string (*text)(const report::RunView& run);  ///< null: the page
};

constexpr Form forms[] = {{"page", "report.html", nullptr},
                          {"csv", "designs.csv", report::export_csv},
                          {"json", "designs.json", report::export_json},
                          {"optuna", "optuna-journal.log", report::export_optuna}};

const Form& form_of(const ReportSettings& settings) {
    return *std::find_if(std::begin(forms), std::end(forms),
                         [&](const Form& form) { return settings.form == form.name; });
}

/// Inside a run directory its files are for whom the directory is; elsewhere as the umask says.
Access access_of(const ReportSettings& settings, const std::string& default_output) {
    struct stat about {};
    if (settings.output != default_output || ::stat(settings.run.c_str(), &about) != 0)
        return Access::as_usual;
    return (about.st_mode & S_IRGRP) != 0 ? Access::group : Access::owner;
}

/// Writes page and figures once. @return whether the run goes on.
bool make(const ReportSettings& settings, bool reloads) {
    const report::RunView run = report::read_run(settings.run);
    std::vector<report::RunView> others;
    for (const std::string& folder : settings.compare) others.push_back(report::read_run(folder));
    const bool runs = run.status.value("phase", Json()) == "running";
    report::PageOptions options = settings.page;
    options.reload_seconds = reloads && runs ? settings.every : 0;
    const Form& form = form_of(settings);
    write_file_atomic(
        settings.output, form.text != nullptr ? form.text(run) : report::page(run, others, options),
        Durability::process_crash, access_of(settings, settings.run + '/' + form.file));
    std::string figures;
    if (!settings.figures.empty())
        figures = fmt::format(
            "; {} in {}",
            plural(report::write_figures(run, settings.figures, options).size(), "file"),
            settings.figures);
    fmt::print("{}: {}, {} on the front{}\n", printable(settings.output),
               plural(run.rows, "design"), run.front.size(), printable(figures));
    std::fflush(stdout);
    return runs;
}

/// Makes it again whenever the run has changed, until it ends or a signal comes.
void watch(const ReportSettings& settings) {
    const auto changed_at = [&] {
        std::error_code none;
        return std::make_pair(
            std::filesystem::last_write_time(settings.run + "/journal.jsonl", none),
            std::filesystem::last_write_time(settings.run + "/status.json", none));
    };
    install_stop_handlers();
    auto seen = changed_at();
    bool runs = make(settings, true);
    double next = steady_seconds() + settings.every;
    while (runs && stop_signal() == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        if (steady_seconds() < next) continue;
        next = steady_seconds() + settings.every;
        if (const auto now = changed_at(); now != seen) {
            seen = now;
            runs = make(settings, true);
        }
    }
    if (runs) make(settings, false);  // nobody writes it any more, so it stops reloading
}

int report_program(int argc, const char* const* argv) {
    ReportSettings settings;
    std::vector<std::string> runs, words(argv, argv + argc);
    cli::OptionParser parser("edgeloop-report",
                             "Makes one HTML page of a run directory, which needs no network and "
                             "no other file. The run may be going on, stopped, crashed or of an "
                             "earlier release.");
    parser.positional("RUN_DIR", &runs, "a folder given as --run-dir before");
    parser.add("output", &settings.output,
               "file to write, also -o FILE; default: in RUN_DIR report.html, or designs.csv, "
               "designs.json, optuna-journal.log");
    parser.add("export", &settings.form,
               "write instead of the page, for other programs: a table of all designs, all that is "
               "known of the run as JSON, or a journal file of Optuna",
               one_of({"page", "csv", "json", "optuna"}));
    parser.add("compare", &settings.compare,
               "other run directories: their fronts and progress are drawn, too");
    parser.add("watch", &settings.watch,
               "write it again while the search runs; the open page reloads itself");
    parser.add("every", &settings.every, "--watch: seconds between two looks", at_least(0.1));
    parser.add("figures", &settings.figures,
               "folder for the main figures as SVG, each with a CSV of what it shows");
    parser.add("real-time-ms", &settings.page.real_time_ms,
               "line in the front where it shows latency_ms: 16 frames at 20 kHz; 0: none",
               at_least(0));
    for (std::string& word : words)
        if (word == "-o") word = "--output";
    std::vector<const char*> arguments;
    for (const std::string& word : words) arguments.push_back(word.c_str());
    if (!parser.parse(argc, arguments.data())) return 0;
    if (runs.size() != 1)
        throw ConfigError(fmt::format("{} run directories are named", runs.size()), {},
                          "name one, before the options, and others by --compare");
    if (settings.form != "page" && (settings.watch || !settings.compare.empty()))
        throw ConfigError("--export " + settings.form + " is of one run at one time",
                          "--watch and --compare are for the page");
    settings.run = runs.front();
    while (settings.run.size() > 1 && settings.run.back() == '/') settings.run.pop_back();
    if (settings.output.empty()) settings.output = settings.run + '/' + form_of(settings).file;
    if (settings.watch)
        watch(settings);
    else
        make(settings, false);
    return 0;
}

}  // namespace
}  // namespace edgeloop

int main(int argc, char** argv) {
    return edgeloop::run_program([&] { return edgeloop::report_program(argc, argv); });
}
