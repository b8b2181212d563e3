#include "adaptation/judge.hpp"

#include "edgeloop/core/random_stream.hpp"
#include "edgeloop/preprocessing/frames.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace edgeloop::adaptation {
namespace {

/// Adds up squared errors of clips, by line.
class LineErrors {
  public:
    LineErrors(const LabelledClips& clips, const std::vector<inference::OutputTarget>& targets)
        : clips_(clips), targets_(targets) {}

    void add(std::size_t clip, const float* answer) {
        const auto [place, is_new] = places_.emplace(clips_.line(clip), sums_.size());
        if (is_new) {
            sums_.push_back(0);
            counts_.push_back(0);
        }
        double sum = 0;
        for (std::size_t k = 0; k < targets_.size(); ++k) {
            const double error =
                (double(answer[k]) - double(clips_.expected(clip)[k])) / targets_[k].scale;
            sum += error * error / static_cast<double>(targets_.size());
        }
        sums_[place->second] += sum;
        counts_[place->second] += 1;
    }
    [[nodiscard]] std::vector<double> means() const {
        std::vector<double> means = sums_;
        for (std::size_t i = 0; i < means.size(); ++i) means[i] /= counts_[i];
        return means;
    }

  private:
    const LabelledClips& clips_;
    const std::vector<inference::OutputTarget>& targets_;
    std::map<std::int64_t, std::size_t> places_;
    std::vector<double> sums_, counts_;
};

/// Means of labels over clips.
std::vector<double> mean_labels(const LabelledClips& clips, const std::vector<std::size_t>& which) {
    std::vector<double> means(clips.targets(), 0);
    for (const std::size_t clip : which)
        for (std::size_t k = 0; k < means.size(); ++k)
            means[k] += double(clips.expected(clip)[k]) / static_cast<double>(which.size());
    return means;
}

}  // namespace

Parts split_lines(const LabelledClips& clips, double held_back, std::uint64_t seed) {
    std::set<std::int64_t> distinct;
    for (std::size_t i = 0; i < clips.count(); ++i) distinct.insert(clips.line(i));
    std::vector<std::int64_t> lines(distinct.begin(), distinct.end());
    RandomStream(seed, "lines held back").shuffle(lines);
    const auto count =
        static_cast<std::size_t>(std::lround(held_back * static_cast<double>(lines.size())));
    const std::set<std::int64_t> back(lines.begin(),
                                      lines.begin() + static_cast<std::ptrdiff_t>(count));
    Parts parts;
    for (std::size_t i = 0; i < clips.count(); ++i)
        (back.count(clips.line(i)) != 0 ? parts.held_back : parts.learnt).push_back(i);
    parts.held_back_lines = back.size();
    parts.learnt_lines = lines.size() - back.size();
    return parts;
}

Verdict judge(const inference::Graph& graph, const LabelledClips& clips,
              const std::vector<std::size_t>& which) {
    inference::CropModel model(graph);
    const auto& targets = model.targets();
    std::vector<std::uint8_t> crops(clips.frames() * crop_pixels);
    std::vector<float> answer(targets.size());
    LineErrors errors(clips, targets);
    const std::vector<double> means = mean_labels(clips, which);
    std::vector<double> wrong(targets.size(), 0), spread(targets.size(), 0);
    for (const std::size_t clip : which) {
        clips.read(clip, crops.data());
        model.run(crops.data(), answer.data());
        errors.add(clip, answer.data());
        for (std::size_t k = 0; k < targets.size(); ++k) {
            const double expected = double(clips.expected(clip)[k]);
            wrong[k] += (double(answer[k]) - expected) * (double(answer[k]) - expected);
            spread[k] += (means[k] - expected) * (means[k] - expected);
        }
    }
    Verdict verdict;
    double sum = 0;
    for (std::size_t k = 0; k < targets.size(); ++k) {
        verdict.judgement.r2.push_back(1 - wrong[k] / spread[k]);
        sum += wrong[k] / (targets[k].scale * targets[k].scale);
    }
    verdict.judgement.rmse = std::sqrt(sum / static_cast<double>(which.size() * targets.size()));
    verdict.errors = errors.means();
    return verdict;
}

std::vector<double> errors_of_mean(const LabelledClips& clips,
                                   const std::vector<inference::OutputTarget>& targets,
                                   const Parts& parts) {
    const std::vector<double> means = mean_labels(clips, parts.learnt);
    const std::vector<float> answer(means.begin(), means.end());
    LineErrors errors(clips, targets);
    for (const std::size_t clip : parts.held_back) errors.add(clip, answer.data());
    return errors.means();
}

}  // namespace edgeloop::adaptation
