#include "edgeloop/link/bridge_client.hpp"

#include "link/dialer.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {
namespace {

/// Opens a session, says one thing and waits for the answer of type Answer.
template <class Answer>
Answer ask(const BridgeAddress& address, wire::Role role, const wire::Packet& question,
           double timeout_s) {
    Dialer dialer(
        std::make_shared<ZmqContext>(),
        {address, {role, fmt::format("operator-{}", ::getpid()), random_bits(), {}, {}}, 1});
    const double deadline = steady_seconds() + timeout_s;
    while (steady_seconds() < deadline) {
        if (dialer.take_opened()) dialer.send(question.message, question.request);
        for (const wire::Packet& packet : dialer.exchange(0.1))
            if (const auto* answer = std::get_if<Answer>(&packet.message)) {
                dialer.shut_down();
                return *answer;
            }
    }
    throw CommError(fmt::format("the bridge at {} does not answer", address.endpoint),
                    dialer.reason(), "check the address, and that edgeloop-bridge runs there");
}

}  // namespace

Json bridge_status(const BridgeAddress& address, double timeout_s) {
    const auto reply = ask<wire::StatusReply>(address, wire::Role::observer,
                                              {wire::StatusRequest{}, 0}, timeout_s);
    return with_printable_texts(parse_json(reply.json, "status"));
}

std::size_t drop_jobs(const BridgeAddress& address, const JobChoice& choice, double timeout_s) {
    return ask<wire::Dropped>(address, wire::Role::client,
                              {wire::Drop{choice.device_class, choice.owner}, choice.job},
                              timeout_s)
        .jobs;
}

}  // namespace edgeloop
