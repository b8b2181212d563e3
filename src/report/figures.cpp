#include "report/document.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/csv.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace edgeloop::report {
namespace {

constexpr double width = 720, height = 440, left = 90, right = 20, top = 20, bottom = 60;
constexpr const char* ink = "#1d2430";
constexpr const char* grey = "#9aa3b0";
constexpr const char* blue = "#1f5fbf";
constexpr const char* red = "#b3261e";

std::string markup(const std::string& text) {
    std::string out;
    for (const char c : text)
        out += c == '&'   ? "&amp;"
               : c == '<' ? "&lt;"
               : c == '>' ? "&gt;"
               : c == '"' ? "&quot;"
                          : std::string(1, c);
    return out;
}

/// An axis from a value to pixels; logarithmic where the values ask for it.
class Axis {
  public:
    Axis(const std::vector<double>& values, double from, double to, bool may_be_logarithmic)
        : from_(from), to_(to) {
        low_ = std::numeric_limits<double>::infinity(), high_ = -low_;
        for (const double value : values)
            if (std::isfinite(value)) low_ = std::min(low_, value), high_ = std::max(high_, value);
        if (!(low_ <= high_)) low_ = 0, high_ = 1;
        logarithmic_ = may_be_logarithmic && low_ > 0 && high_ > 30 * low_;
        if (logarithmic_) low_ = std::log10(low_), high_ = std::log10(high_);
        const double room =
            high_ > low_ ? 0.04 * (high_ - low_) : std::max(1e-9, std::abs(low_) / 10);
        low_ -= room, high_ += room;
    }

    [[nodiscard]] double at(double value) const {
        const double place = logarithmic_ ? std::log10(value) : value;
        return from_ + (place - low_) / (high_ - low_) * (to_ - from_);
    }
    /// Round values inside, with where they are.
    [[nodiscard]] std::vector<double> ticks() const {
        std::vector<double> values;
        if (logarithmic_ && high_ - low_ > 1.5) {
            for (double place = std::ceil(low_); place <= high_; ++place)
                values.push_back(std::pow(10, place));
            return values;
        }
        const double first = logarithmic_ ? std::pow(10, low_) : low_;
        const double last = logarithmic_ ? std::pow(10, high_) : high_;
        double step = std::pow(10, std::floor(std::log10((last - first) / 4)));
        for (const double factor : {2.0, 2.5, 2.0})
            if ((last - first) / step > 6) step *= factor;
        for (double k = std::ceil(first / step); k * step <= last; ++k) values.push_back(k * step);
        return values;
    }

  private:
    double from_, to_, low_, high_;
    bool logarithmic_ = false;
};

/// A figure with two axes.
class Figure {
  public:
    Figure(const std::string& title, Axis x, Axis y) : x_(x), y_(y) {
        body_ =
            fmt::format("<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
                        markup(title));
    }

    void frame(const std::string& x_name, const std::string& y_name, bool y_ticks = true) {
        line(left, height - bottom, width - right, height - bottom, ink);
        line(left, top, left, height - bottom, ink);
        for (const double value : x_.ticks()) {
            line(x_.at(value), height - bottom, x_.at(value), height - bottom + 5, ink);
            text(x_.at(value), height - bottom + 20, fmt::format("{:.4g}", value), "middle");
        }
        for (const double value : y_ticks ? y_.ticks() : std::vector<double>()) {
            line(left - 5, y_.at(value), left, y_.at(value), ink);
            text(left - 9, y_.at(value) + 4, fmt::format("{:.4g}", value), "end");
        }
        text((left + width - right) / 2, height - 16, x_name, "middle");
        body_ += fmt::format(
            "<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
            (top + height - bottom) / 2, markup(y_name));
    }
    void point(double x, double y, const char* colour, double radius) {
        body_ += fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{}\" fill=\"{}\"/>\n",
                             x_.at(x), y_.at(y), radius, colour);
    }
    void span(double x1, double y1, double x2, double y2, const char* colour) {
        line(x_.at(x1), y_.at(y1), x_.at(x2), y_.at(y2), colour);
    }
    void line(double x1, double y1, double x2, double y2, const char* colour) {
        body_ += fmt::format(
            "<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\" stroke=\"{}\"/>\n", x1,
            y1, x2, y2, colour);
    }
    void text(double x, double y, const std::string& words, const char* anchor) {
        body_ += fmt::format("<text x=\"{:.2f}\" y=\"{:.2f}\" text-anchor=\"{}\">{}</text>\n", x, y,
                             anchor, markup(words));
    }
    [[nodiscard]] std::string svg() const {
        return fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
            "height=\"{1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"{2}\">\n{3}</svg>\n",
            width, height, ink, body_);
    }

  private:
    Axis x_, y_;
    std::string body_;
};

Axis across(const std::vector<double>& values, bool log) {
    return {values, left, width - right, log};
}
Axis upwards(const std::vector<double>& values, bool log) {
    return {values, height - bottom, top, log};
}

struct Files {
    std::string svg, csv;
};

/// Two objectives, the second last; of one objective over the number of the design.
Files front_figure(const RunView& run, const PageOptions& options) {
    const Column* const id = run.find("id");
    const std::string y_name = run.objectives.front();
    const std::string x_name = run.objectives.size() > 1 ? run.objectives[1] : "id";
    const Column *const x = run.find(x_name), *const y = run.find(y_name);
    if (x == nullptr || y == nullptr || !x->is_number || !y->is_number) return {};
    const Column *const low = run.find("latency_low_ms"), *const high = run.find("latency_high_ms");
    const bool has_errors = x_name == "latency_ms" && low != nullptr && high != nullptr &&
                            low->is_number && high->is_number;
    const std::vector<bool> completed = run.completed();
    std::vector<double> xs, ys;
    for (std::size_t row = 0; row < run.rows; ++row)
        if (completed[row]) xs.push_back(x->numbers[row]), ys.push_back(y->numbers[row]);
    Figure figure("Pareto front", across(xs, true), upwards(ys, true));
    figure.frame(x_name, y_name);
    std::string csv = fmt::format("id,on_front,{},{}{}\n", csv_cell(x_name), csv_cell(y_name),
                                  has_errors ? ",latency_low_ms,latency_high_ms" : "");
    std::vector<bool> on_front(run.rows);
    for (const std::size_t row : run.front) on_front[row] = true;
    for (const bool wanted : {false, true})
        for (std::size_t row = 0; row < run.rows; ++row) {
            const double a = x->numbers[row], b = y->numbers[row];
            if (on_front[row] != wanted || !completed[row] || !std::isfinite(a + b)) continue;
            if (wanted && has_errors && std::isfinite(low->numbers[row] + high->numbers[row]) &&
                low->numbers[row] > 0)
                figure.span(low->numbers[row], b, high->numbers[row], b, blue);
            figure.point(a, b, wanted ? blue : grey, wanted ? 4 : 2);
            csv += fmt::format("{},{},{},{}", id == nullptr ? 0 : id->numbers[row], wanted ? 1 : 0,
                               shortest(a), shortest(b));
            if (has_errors)
                csv += fmt::format(",{},{}", shortest(low->numbers[row]),
                                   shortest(high->numbers[row]));
            csv += '\n';
        }
    const double limit = options.real_time_ms;
    if (x_name == "latency_ms" && limit > 0 && !xs.empty()) {
        const Axis axis = across(xs, true);
        if (axis.at(limit) > left && axis.at(limit) < width - right) {
            figure.line(axis.at(limit), top, axis.at(limit), height - bottom, red);
            figure.text(axis.at(limit) + 4, top + 12, fmt::format("{:g} ms", limit), "start");
        }
    }
    return {figure.svg(), csv};
}

Files progress_figure(const RunView& run) {
    const Growth growth = growth_of(run);
    const bool has_volume = std::any_of(growth.hypervolume.begin(), growth.hypervolume.end(),
                                        [](double value) { return std::isfinite(value); });
    const std::vector<double>& shown = has_volume ? growth.hypervolume : growth.best.front();
    Figure figure("Progress", across(growth.done, false), upwards(shown, false));
    figure.frame("designs done", has_volume ? "hypervolume" : "best " + run.objectives.front());
    std::string csv = "done,seconds,hypervolume";
    for (const std::string& name : run.objectives) csv += ',' + csv_cell("best_" + name);
    csv += '\n';
    const auto cell = [](double value) { return std::isfinite(value) ? shortest(value) : ""; };
    for (std::size_t i = 0; i < growth.done.size(); ++i) {
        if (i > 0 && std::isfinite(shown[i - 1] + shown[i])) {
            figure.span(growth.done[i - 1], shown[i - 1], growth.done[i], shown[i - 1], blue);
            figure.span(growth.done[i], shown[i - 1], growth.done[i], shown[i], blue);
        }
        csv += cell(growth.done[i]) + ',' + cell(growth.seconds[i]) + ',' +
               cell(growth.hypervolume[i]);
        for (const auto& best : growth.best) csv += ',' + cell(best[i]);
        csv += '\n';
    }
    return {figure.svg(), csv};
}

Files importance_figure(const std::vector<Importance>& all) {
    constexpr std::size_t most = 12;  // genes drawn
    const Importance& first = all.front();
    const std::size_t count = std::min(most, first.genes.size());
    std::vector<double> ends{0};
    for (std::size_t i = 0; i < count; ++i) ends.push_back(first.shares[i] + first.errors[i]);
    const Axis x = across(ends, false);
    Figure figure("Importance of genes", x, upwards({0, 1}, false));
    figure.frame("share of the variance of " + first.objective, "", false);
    const double each =
        (height - top - bottom) / static_cast<double>(std::max<std::size_t>(1, count));
    for (std::size_t i = 0; i < count; ++i) {
        const double y = top + (static_cast<double>(i) + 0.5) * each;
        figure.line(x.at(0), y, x.at(first.shares[i]), y, blue);
        figure.line(x.at(first.shares[i] - first.errors[i]), y + 5,
                    x.at(first.shares[i] + first.errors[i]), y + 5, grey);
        figure.text(x.at(0) + 6, y - 5, first.genes[i], "start");
    }
    std::string csv = "objective,gene,share,standard_error,r2,designs\n";
    for (const Importance& one : all)
        for (std::size_t i = 0; i < one.genes.size(); ++i)
            csv += fmt::format("{},{},{},{},{},{}\n", csv_cell(one.objective),
                               csv_cell(one.genes[i]), shortest(one.shares[i]),
                               shortest(one.errors[i]), shortest(one.r2), one.designs);
    return {figure.svg(), csv};
}

}  // namespace

std::vector<std::string> write_figures(const RunView& run, const std::string& folder,
                                       const PageOptions& options) {
    std::vector<std::string> written;
    const auto write = [&](const std::string& name, const Files& files) {
        for (const auto& [suffix, text] : {std::pair(".svg", files.svg), {".csv", files.csv}}) {
            if (text.empty()) continue;
            written.push_back(folder + '/' + name + suffix);
            write_file_atomic(written.back(), text, Durability::process_crash);
        }
    };
    make_directories(folder);
    if (run.objectives.empty() || run.rows == 0) return written;
    write("front", front_figure(run, options));
    write("progress", progress_figure(run));
    const std::vector<Importance> all = importances(run);
    if (!all.empty() && !all.front().genes.empty()) write("importance", importance_figure(all));
    return written;
}

}  // namespace edgeloop::report
