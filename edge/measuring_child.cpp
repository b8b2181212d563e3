#include "measuring_child.hpp"

#include "job_process.hpp"
#include "result_json.hpp"
#include "sandbox.hpp"
#include "simulated_hardware.hpp"

#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

#include <sys/prctl.h>
#include <unistd.h>

namespace edgeloop {
namespace {

void hand_over(int descriptor, std::string_view text) {
    if (!write_all(descriptor, text))
        throw IoError("cannot hand over the result", std::strerror(errno));
}

class MeasuringServer {
  public:
    MeasuringServer(const RuntimeFactory& factory, const RuntimePreparation& prepare)
        : factory_(factory), prepare_(prepare) {}

    [[nodiscard]] Json answer(const Json& request) {
        const MeasuringLimits limits = limits_of(request.at("limits"));
        if (const auto report = request.find("sandbox_report"); report != request.end())
            return report_of(limits, report->get<bool>());
        const MeasurementJob job{request.at("spec"), request.at("settings"),
                                 request.at("device_class")};
        return result_to_json(is_simulated(settings_of(job).runtime)
                                  ? answer_by_simulation(job, limits)
                                  : measure(job, factory_, limits, prepare_));
    }

  private:
    [[nodiscard]] static Json report_of(const MeasuringLimits& limits, bool tries) {
        try {
            return sandbox_report(limits, tries);
        } catch (const Error& error) {
            return {{"failed", error.what()}};
        }
    }

    [[nodiscard]] MeasuringLimits limits_of(const Json& json) {
        MeasuringLimits limits;
        limits.weights_folder = json.at("weights_folder");
        limits.time_limit_s = json.at("time_limit_s");
        limits.patience = json.at("patience");
        limits.memory_limit_mib = json.at("memory_limit_mib");
        limits.files = {json.at("model_file"), json.at("vectors_file")};
        limits.device_class = json.at("device_class");
        limits.cores = json.at("cores").get<std::vector<int>>();
        limits.sandbox = SandboxSettings::from_json(json.at("sandbox"));
        limits.simulation = SimulationPlace::from_json(json.at("simulation"));
        if (limits.sandbox.mode != SandboxMode::off && !std::exchange(has_left_, true)) {
            namespaces_ = leave_namespaces();
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // which that may have forgotten
        }
        limits.namespaces = namespaces_;
        return limits;
    }

    const RuntimeFactory& factory_;
    const RuntimePreparation& prepare_;
    bool has_left_ = false;  ///< the namespaces of the agent
    std::vector<std::string> namespaces_;
};

}  // namespace

int measuring_process_main(const RuntimeFactory& factory, const RuntimePreparation& prepare,
                           int answer_fd) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlive the agent
    hide_memory();
    close_descriptors_from(answer_fd + 1);
    if (::chdir("/") != 0) throw IoError("cannot leave the folder", std::strerror(errno));
    MeasuringServer server(factory, prepare);
    for (std::string request; std::getline(std::cin, request) && !std::cin.eof();) {
        const std::string answer = server.answer(parse_json(request, "request"))
                                       .dump(-1, ' ', false, Json::error_handler_t::replace);
        end_all_children();
        hand_over(answer_fd, answer + "\n");
    }
    return 0;
}

}  // namespace edgeloop
