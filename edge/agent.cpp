#include "agent.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/log.hpp"
#include "edgeloop/core/stop.hpp"

#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr int lost_in_a_row = 5;  ///< measuring processes that ended before the agent gives up
constexpr double look_s = 0.2;    ///< between two looks at the stop signal while idle

/// One agent per name and machine: two would disturb each other's measurements and fight over the
/// name. Released by the kernel however the process ends.
class NameLock {
  public:
    explicit NameLock(const std::string& name) {
        std::string file_name;
        for (const unsigned char c : name)
            file_name.push_back(std::isalnum(c) != 0 ? static_cast<char>(c) : '_');
        const std::string path =
            fmt::format("/tmp/edgeloop-edge-{}-{}.lock", ::getuid(), file_name);
        descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (descriptor_ < 0)
            throw IoError(fmt::format("cannot open '{}'", path), std::strerror(errno));
        if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
            ::close(descriptor_);
            throw ConfigError(fmt::format("an agent called '{}' runs here already", name),
                              "two agents would disturb each other's measurements",
                              "stop it, or give this one another --name");
        }
    }
    ~NameLock() { ::close(descriptor_); }
    NameLock(const NameLock&) = delete;
    NameLock& operator=(const NameLock&) = delete;

  private:
    int descriptor_ = -1;
};

}  // namespace

void serve(const ServeOptions& options) {
    const NameLock lock(options.link.name);
    AgentSession session(options.link);
    MeasuringProcess process(options.process);
    const auto stop = [&] {
        return stop_signal() != 0 || (options.parent != 0 && ::getppid() != options.parent);
    };
    const auto measure = [&](const DriftGuard::Job& job) {
        if (job.id != 0) session.resume(job.id);
        MeasurementResult result = process.measure(job.job, stop);
        if (job.id != 0) session.withhold(job.id);
        return result;
    };
    const auto pause = [&](double seconds) {
        const double end = steady_seconds() + seconds;
        while (!stop() && steady_seconds() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return !stop();
    };
    DriftGuard guard(options.drift, measure, pause);
    const auto answer = [&](const std::vector<DriftGuard::Settled>& settled) {
        for (const auto& [id, result] : settled) session.finish(id, result);
    };
    int lost = 0;
    while (!stop()) {
        if (guard.due(false)) answer(guard.settle());
        auto held = session.next(look_s);
        if (!held) {
            if (guard.due(true)) answer(guard.settle());
            continue;
        }
        guard.begin();
        const MeasurementResult result = measure(*held);
        if (result.status == Status::completed)
            log::info("measured {:016x}: {:.3f} ms in {:.1f} s", held->id,
                      result.metrics.at("latency_ms"), result.seconds);
        else
            log::warning("{:016x}: {}", held->id, result.reason);
        if (const auto settled = guard.add(*held, result)) answer({*settled});
        lost = result.status == Status::lost ? lost + 1 : 0;
        if (lost == lost_in_a_row)
            throw IoError("measuring processes keep ending", result.reason,
                          "run 'edgeloop-edge measure' by hand to see why");
    }
    answer(guard.give_up());
}

}  // namespace edgeloop
