#include "stream_run.hpp"

#include "edgeloop/core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

std::int64_t now_ns() {
    timespec now{};
    (void)::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * second_ns + now.tv_nsec;
}

/// Sleeps while much is left, and spins for the rest: a sleep ends tens of microseconds late.
void wait_until(std::int64_t time_ns) {
    constexpr std::int64_t sleep_overrun_ns = 200'000;
    const std::int64_t wake = time_ns - sleep_overrun_ns;
    if (wake > now_ns()) {
        const timespec until{wake / second_ns, wake % second_ns};
        (void)::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    }
    while (now_ns() < time_ns) {
    }
}

/// Of this process, without allocating; 0 where the system does not tell.
std::int64_t resident_kib() {
    char text[128] = {};
    const Descriptor file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
    if (file.get() < 0 || ::read(file.get(), text, sizeof text - 1) <= 0) return 0;
    long long size = 0, resident = 0;
    if (std::sscanf(text, "%lld %lld", &size, &resident) != 2) return 0;
    return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

double microseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; }

}  // namespace

int reused_stride(const StreamSettings& settings, int frames) {
    return settings.has_reuse && settings.stride < frames ? settings.stride : 0;
}

StreamRun::StreamRun(inference::CropModel& model, const StreamSettings& settings)
    : model_(model),
      settings_(settings),
      window_(static_cast<std::size_t>(model.frames())),
      moves_(reused_stride(settings, model.frames()) != 0),
      centre_{settings.height / 2, settings.width / 2},
      frame_(static_cast<std::size_t>(settings.height) * static_cast<std::size_t>(settings.width)),
      crops_(window_ * crop_pixels),
      values_(model.targets().size()),
      period_ns_(settings.rate > 0 ? static_cast<std::int64_t>(double(second_ns) / settings.rate)
                                   : 0) {
    EDGELOOP_EXPECT(settings.stride > 0, "windows that do not move on");
}

void StreamRun::run(FrameSource& source, PredictionSink& sink) {
    if (!take_first(source)) {
        figures_.frames = source.taken();
        if (source.is_stopped()) return;
        throw ConfigError(fmt::format("there are {} frames", source.taken()),
                          fmt::format("a window of this model has {}", window_));
    }
    answer(false, source, sink);
    figures_.resident_kib = resident_kib();
    while (take_next(source)) answer(moves_, source, sink);
    figures_.frames = source.taken();
    figures_.later_resident_kib = resident_kib();
    figures_.seconds = static_cast<double>(now_ns() - start_ns_) / double(second_ns);
}

/// The first window, after the place of the crop was found in its first frames.
bool StreamRun::take_first(FrameSource& source) {
    const std::size_t looked_at = std::min(window_, causal_frames);
    const std::size_t pixels = source.pixels();
    std::vector<std::uint8_t> first(looked_at * pixels);
    MeanFrame mean(settings_.height, settings_.width);
    for (std::size_t i = 0; i < looked_at; ++i) {
        const std::int64_t due = wait_for_frame();
        const FrameSource::Take how = source.take(first.data() + i * pixels);
        if (how == FrameSource::Take::ended) return false;
        note_arrival(due, how);
        mean.add(first.data() + i * pixels);
    }
    if (settings_.centre)
        centre_ = *settings_.centre;
    else if (settings_.height != crop_side || settings_.width != crop_side)
        centre_ = mean.middle_of_brightest();
    for (std::size_t i = 0; i < looked_at; ++i)
        crop_frame(first.data() + i * pixels, settings_.height, settings_.width, centre_,
                   crops_.data() + i * crop_pixels);
    for (std::size_t i = looked_at; i < window_; ++i)
        if (!take(source, crops_.data() + i * crop_pixels)) return false;
    return true;
}

/// The frames that the next window has and the last one had not.
bool StreamRun::take_next(FrameSource& source) {
    const auto stride = static_cast<std::size_t>(settings_.stride);
    const std::size_t fresh = std::min(stride, window_);
    if (stride > window_ && !skip(source, static_cast<int>(stride - window_))) return false;
    std::uint8_t* to = crops_.data();
    if (!moves_) {
        const std::size_t kept = (window_ - fresh) * crop_pixels;
        std::memmove(to, to + fresh * crop_pixels, kept);
        to += kept;
    }
    for (std::size_t i = 0; i < fresh; ++i)
        if (!take(source, to + i * crop_pixels)) return false;
    return true;
}

bool StreamRun::take(FrameSource& source, std::uint8_t* crop) {
    const std::int64_t due = wait_for_frame();
    const FrameSource::Take how = source.take(frame_.data());
    if (how == FrameSource::Take::ended) return false;
    note_arrival(due, how);
    crop_frame(frame_.data(), settings_.height, settings_.width, centre_, crop);
    return true;
}

bool StreamRun::skip(FrameSource& source, int count) {
    for (int i = 0; i < count; ++i) {
        const std::int64_t due = wait_for_frame();
        const FrameSource::Take how = source.take(frame_.data());
        if (how == FrameSource::Take::ended) return false;
        note_arrival(due, how);
    }
    return true;
}

/// When the next frame should come. The first one is always in time.
std::int64_t StreamRun::wait_for_frame() {
    if (arrival_ns_ == 0 || period_ns_ == 0) return 0;
    const std::int64_t due =
        settings_.is_live
            ? arrival_ns_ + period_ns_
            : start_ns_ + static_cast<std::int64_t>(static_cast<double>(figures_.frames) *
                                                    double(second_ns) / settings_.rate);
    if (!settings_.is_live) wait_until(due);
    return due;
}

/// A frame that this did not wait for came when it was due, or, of a source with its own pace, a
/// period after the one before.
void StreamRun::note_arrival(std::int64_t due, FrameSource::Take how) {
    const std::int64_t now = now_ns();
    if (arrival_ns_ == 0) start_ns_ = now;
    const bool is_known = due == 0 || how == FrameSource::Take::waited_for;
    arrival_ns_ = is_known ? now : std::min(due, now);
    if (due != 0 && arrival_ns_ >= due + period_ns_) ++figures_.late_frames;
    ++figures_.frames;
}

void StreamRun::answer(bool is_moved, const FrameSource& source, PredictionSink& sink) {
    if (is_moved)
        model_.run_moved(crops_.data(), values_.data());
    else
        model_.run(crops_.data(), values_.data());
    sink.put(source.taken() - 1, values_.data());
    const auto latency =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, now_ns() - arrival_ns_));
    figures_.latency.add(latency);
    ++figures_.windows;
    if (settings_.deadline_us > 0 && microseconds(latency) > settings_.deadline_us)
        ++figures_.missed;
}

Json StreamFigures::json(const StreamSettings& settings, const inference::Work& work) const {
    return {{"frames", frames},
            {"windows", windows},
            {"stride", settings.stride},
            {"rate", settings.rate},
            {"deadline_us", settings.deadline_us},
            {"missed", missed},
            {"late_frames", late_frames},
            {"seconds", seconds},
            {"latency_us",
             {{"p50", microseconds(latency.quantile(0.5))},
              {"p99", microseconds(latency.quantile(0.99))},
              {"worst", microseconds(latency.worst())}}},
            {"resident_kib", {{"first", resident_kib}, {"last", later_resident_kib}}},
            {"multiply_adds", {{"whole", work.whole}, {"moved", work.moved}}}};
}

std::string StreamFigures::text(const StreamSettings& settings) const {
    std::string text =
        fmt::format("{} frames, {} windows in {:.1f} s ({:.0f} frames/s)\n", frames, windows,
                    seconds, seconds > 0 ? static_cast<double>(frames) / seconds : 0.0);
    text += fmt::format("latency p50 {:.1f} us, p99 {:.1f} us, worst {:.1f} us\n",
                        microseconds(latency.quantile(0.5)), microseconds(latency.quantile(0.99)),
                        microseconds(latency.worst()));
    if (settings.deadline_us > 0)
        text += fmt::format("{} of {} predictions after their deadline of {:g} us\n", missed,
                            windows, settings.deadline_us);
    if (late_frames > 0) text += fmt::format("{} frames came late\n", late_frames);
    return text + fmt::format("resident {} KiB after the first window, {} KiB at the end\n",
                              resident_kib, later_resident_kib);
}

}  // namespace edgeloop
