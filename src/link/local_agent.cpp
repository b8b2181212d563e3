#include "edgeloop/core/error.hpp"
#include "edgeloop/link/messages.hpp"
#include "edgeloop/link/remote_probe.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

namespace edgeloop {
namespace {

constexpr const char* socket_name = "/link";

/// /tmp where the path of a socket in the system's folder would be longer than the system takes.
std::string parent_of_socket() {
    const std::string path =
        fmt::format("{}/{}{}", TemporaryFolder::system(), TemporaryFolder::pattern, socket_name);
    return path.size() >= sizeof(sockaddr_un::sun_path) ? "/tmp" : "";
}

}  // namespace

EdgeOption parse_edge_option(const std::string& text) {
    using Mode = EdgeOption::Mode;
    if (text == "none") return {Mode::none, {}};
    if (text == "model") return {Mode::model, {}};
    if (text == "local") return {Mode::local, {}};
    const auto starts = [&](std::string_view prefix) { return text.rfind(prefix, 0) == 0; };
    const std::string_view bind = "bind:";
    if (starts(bind)) {
        const std::string endpoint = text.substr(bind.size());
        check_endpoint(endpoint, EndpointUse::listen);
        return {Mode::bind, endpoint};
    }
    if (starts("tcp://") || starts("ipc://")) {
        check_endpoint(text, EndpointUse::connect);
        return {Mode::connect, text};
    }
    throw ConfigError(
        fmt::format("--edge '{}' is unknown", text), {},
        "use local, model, none, tcp://HOST:PORT, bind:tcp://*:PORT, or ipc://PATH for tcp://");
}

LocalAgent::LocalAgent(const std::vector<std::string>& classes, const std::string& program)
    : folder_(parent_of_socket()), endpoint_("ipc://" + folder_.path() + socket_name) {
    const std::string name = fmt::format("local-{}", ::getpid());
    ChildOptions child;
    child.arguments = {program.empty() ? sibling_program("edgeloop-edge") : program, "serve",
                       "--connect", endpoint_, "--parent", std::to_string(::getpid()),
                       // The search loads this machine now more, now less: there is no undisturbed
                       // state that a reference network could confirm.
                       "--reference-every", "0", "--patience", "1", "--turns-file", turns_file()};
    const auto start = [&](const std::vector<std::string>& words) {
        ChildOptions one = child;
        one.arguments.insert(one.arguments.end(), words.begin(), words.end());
        processes_.push_back(std::make_unique<ChildProcess>(one));
    };
    if (classes.empty()) start({"--name", name});
    for (const std::string& each : classes)
        start({"--name", wire::fit_name(fmt::format("{}-{}", name, each)), "--class", each});
}

bool LocalAgent::running() {
    return std::none_of(processes_.begin(), processes_.end(),
                        [](const auto& process) { return process->poll().has_value(); });
}

void LocalAgent::stop() {
    for (const auto& process : processes_) process->terminate();
}

LocalAgent::~LocalAgent() { stop(); }

}  // namespace edgeloop
