#include "edgeloop/link/bridge_client.hpp"

#include "link/dialer.hpp"

#include "edgeloop/core/clock.hpp"
#include "edgeloop/core/error.hpp"

#include <fmt/format.h>
#include <unistd.h>

namespace edgeloop {

Json bridge_status(const BridgeAddress& address, double timeout_s) {
    wire::Hello hello;
    hello.role = wire::Role::observer;
    hello.name = fmt::format("status-{}", ::getpid());
    hello.nonce = random_bits();
    Dialer dialer(std::make_shared<ZmqContext>(),
                  {address.endpoint, address.keys, address.server_key, hello, 1});
    const double deadline = steady_seconds() + timeout_s;
    while (steady_seconds() < deadline) {
        if (dialer.take_opened()) dialer.send(wire::StatusRequest{});
        for (const wire::Packet& packet : dialer.exchange(0.1))
            if (const auto* reply = std::get_if<wire::StatusReply>(&packet.message)) {
                dialer.say_goodbye();
                return parse_json(reply->json, "status");
            }
    }
    throw CommError(fmt::format("the bridge at {} does not answer", address.endpoint),
                    dialer.reason(), "check the address, and that edgeloop-bridge runs there");
}

}  // namespace edgeloop
