#include "job_worker.hpp"

#include "core_witness.hpp"
#include "harness.hpp"
#include "sandbox_attempts.hpp"
#include "system_files.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/machine.hpp"
#include "edgeloop/core/numbers.hpp"
#include "edgeloop/preprocessing/clip_maker.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>

namespace edgeloop {
namespace {

constexpr std::int64_t block_ns = 1'000'000;

void limit_mib(decltype(RLIMIT_DATA) resource, double mib) {
    const auto bytes = static_cast<rlim_t>(mib * bytes_per_mib);
    const rlimit limit{bytes, bytes};
    if (::setrlimit(resource, &limit) != 0)
        throw IoError("cannot limit the memory of the measuring process", std::strerror(errno));
}

/// What makes a clip as a deployed program would, from the frames of its camera.
class Preparation {
  public:
    Preparation(const ClipShape& clip, const MeasurementSettings& settings)
        : maker_(settings.frame_height, settings.frame_width, clip.frames, clip.side,
                 Normalisation{clip.mean, clip.deviation}),
          camera_(static_cast<std::size_t>(clip.frames) *
                  static_cast<std::size_t>(settings.frame_height) *
                  static_cast<std::size_t>(settings.frame_width)) {
        // Any picture takes the same time; one of zeros might not.
        for (std::size_t i = 0; i < camera_.size(); ++i)
            camera_[i] = static_cast<std::uint8_t>(i * 2654435761U >> 24U);
    }
    void make(float* clips) { maker_.make(camera_.data(), clips); }

  private:
    ClipMaker maker_;
    std::vector<std::uint8_t> camera_;
};

class Worker {
  public:
    Worker(const JobSide& side, const MeasurementJob& job, const MeasurementSettings& settings,
           const RuntimeFactory& factory, const WorkerOptions& options)
        : side_(side), job_(job), settings_(settings), factory_(factory), options_(options) {}

    /// @return false for a command that there is not.
    [[nodiscard]] bool obey(const Json& command, Json& answer) {
        const std::string& what = command.at("do").get_ref<const std::string&>();
        if (what == "calibrate")
            calibrate(command.at("marks"), command.at("spin_us"));
        else if (what == "rehearse")
            rehearse(command.at("marks"));
        else if (what == "build")
            runtime_ = factory_(parse_json(job_.spec, "spec"), settings_);
        else if (what == "batch")
            answer["clips"] = prepare_batch(command.at("size"));
        else if (what == "run")
            run(command.at("marks"), command.at("seconds"));
        else if (what == "answer")
            answer["values"] = (answers_ = runtime_->answers(command.at("first"))).size();
        else if (what == "values")
            answer["hex"] = digits_of_answers(command.at("from"), command.at("count"));
        else if (what == "facts")
            answer["facts"] = runtime_->facts();
        else if (what == "attempt")
            answer["result"] = attempt(command.at("which"));
        else
            return false;
        return true;
    }

  private:
    void calibrate(std::size_t marks, double spin_us) {
        for (std::size_t i = 0; i + 2 <= marks; i += 2) {
            const bool alone = !options_.looks || witness_.look().alone;
            side_.mark(Mark::begun);
            const std::int64_t begin = steady_nanoseconds();
            std::int64_t now = begin;
            while (static_cast<double>(now - begin) < spin_us * 1e3) now = steady_nanoseconds();
            side_.mark(Mark::spun, static_cast<double>(now - begin), alone);
        }
    }

    /// Only runs of single clips are prepared.
    [[nodiscard]] bool prepares_any() const {
        const std::vector<int>& batches = settings_.batches;
        return std::find(batches.begin(), batches.end(), 1) != batches.end();
    }

    /// What clips its network sees, if the spec says so.
    [[nodiscard]] std::optional<ClipShape> clip() const {
        try {
            return network_of(parse_json(job_.spec, "spec")).clip;
        } catch (const ConfigError&) {
            return std::nullopt;  // of a runtime that measures something else; or "build" says why
        }
    }

    void rehearse(std::size_t marks) {
        constexpr std::size_t times = 5;
        const std::optional<ClipShape> shape = prepares_any() ? clip() : std::nullopt;
        std::optional<Preparation> preparation;
        std::vector<float> made;
        if (shape) {
            preparation.emplace(*shape, settings_);
            made.resize(static_cast<std::size_t>(shape->frames) *
                        static_cast<std::size_t>(shape->side) *
                        static_cast<std::size_t>(shape->side));
        }
        for (std::size_t i = 0; i < times && 4 * (i + 1) <= marks; ++i) {
            side_.mark(Mark::begun);
            look();
            if (!preparation) continue;
            side_.mark(Mark::begun);
            preparation->make(made.data());
            side_.mark(Mark::prepared);
        }
    }

    [[nodiscard]] bool prepare_batch(int batch) {
        runtime_->prepare(batch);
        preparation_.reset();
        if (batch != 1 || runtime_->clips() == nullptr) return false;
        preparation_.emplace(network_of(parse_json(job_.spec, "spec")).clip, settings_);
        return true;
    }

    [[nodiscard]] std::string digits_of_answers(std::size_t from, std::size_t count) const {
        std::string digits;
        for (std::size_t i = from; i < from + count; ++i) {
            std::uint32_t bits = 0;
            std::memcpy(&bits, &answers_.at(i), sizeof bits);
            digits += fmt::format("{:08x}", bits);
        }
        return digits;
    }

    void look() {
        if (!options_.looks) {
            side_.mark(Mark::looked, 0, true);
            return;
        }
        const CoreWitness::Look seen = witness_.look();
        side_.mark(Mark::looked, seen.clock_mhz, seen.alone);
    }

    void run(std::size_t marks, double seconds) {
        const std::size_t of_a_run = preparation_ ? 2 : 1;
        std::size_t left = marks;
        const std::int64_t begin = side_.mark(Mark::begun);
        --left;
        std::int64_t now = begin;
        do {
            const std::int64_t block = now;
            do {
                if (preparation_) {
                    preparation_->make(runtime_->clips());
                    runtime_->take_clips();
                    side_.mark(Mark::prepared);
                }
                runtime_->run();
                now = side_.mark(Mark::done);
                left -= of_a_run;
            } while (now - block < block_ns && left > of_a_run);
            look();
            --left;
        } while (left > of_a_run && static_cast<double>(now - begin) < seconds * 1e9);
    }

    const JobSide& side_;
    const MeasurementJob& job_;
    const MeasurementSettings& settings_;
    const RuntimeFactory& factory_;
    const WorkerOptions& options_;
    CoreWitness witness_;
    std::unique_ptr<Runtime> runtime_;
    std::optional<Preparation> preparation_;
    std::vector<float> answers_;  ///< to test vectors
};

/// @return what holds this process.
Json enter(const std::vector<std::string>& namespaces, const MeasurementSettings& settings,
           const RuntimePreparation& prepare, const WorkerOptions& options) {
    if (!options.cores.empty() && !pin_to_cpus(options.cores))
        throw ConfigError("cannot pin to the given cores", std::strerror(errno),
                          "choose from those that nproc counts, from 0");
    // Threads take over what holds the one that starts them; the limits on memory and calls are of
    // all, and what threads take for themselves is not the network's.
    Json report = confine(options.sandbox, options.bounds, namespaces);
    if (prepare) prepare(settings);
    limit_memory(options.memory_limit_mib, options.bounds.gpu);
    confine_calls(options.sandbox, options.bounds, report);
    return report;
}

/// Does it; what cannot be done is an answer.
template <class Action>
void answer_guarded(const JobSide& side, const Json& command, const Action& action) {
    Json answer = {{"number", command.at("number")}};
    const auto failed = [&](const std::string& reason) {
        answer["failed"] = reason.substr(0, reason.find('\n'));
    };
    try {
        action(answer);
    } catch (const std::bad_alloc&) {
        failed("out of memory on the device");
    } catch (const NetworkError& error) {
        failed(error.what());
        answer["network"] = true;
    } catch (const std::exception& error) {
        failed(error.what());
    }
    side.answer(answer);
}

}  // namespace

// RLIMIT_DATA counts what a network allocates; RLIMIT_AS also LibTorch's mappings and what is only
// reserved. Its limit is wide: it bounds what pages that are only looked at take in page tables, a
// 512th of them.
void limit_memory(double mib, bool gpu) {
    if (mib <= 0) return;
    const SystemFiles system;
    limit_mib(RLIMIT_DATA, system.memory_mib("VmData") + mib);
    constexpr double reserved_mib = 64 * 1024;
    if (!gpu)  // whose drivers reserve as much as there is
        limit_mib(RLIMIT_AS, system.memory_mib("VmSize") + mib + reserved_mib);
}

void answer_commands(const JobSide& side,
                     const std::function<void(const Json& command, Json& answer)>& obey) {
    while (const auto command = side.next_command())
        answer_guarded(side, *command, [&](Json& answer) { obey(*command, answer); });
}

void work_on_job(const JobSide& side, const std::vector<std::string>& namespaces,
                 const MeasurementJob& job, const MeasurementSettings& settings,
                 const RuntimeFactory& factory, const RuntimePreparation& prepare,
                 const WorkerOptions& options) {
    Worker worker(side, job, settings, factory, options);
    answer_commands(side, [&](const Json& command, Json& answer) {
        if (command.at("do") == "enter")
            answer["sandbox"] = enter(namespaces, settings, prepare, options);
        else if (!worker.obey(command, answer))
            throw LogicError("a command that there is not");
    });
}

}  // namespace edgeloop
