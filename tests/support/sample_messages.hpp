#pragma once

#include "edgeloop/link/messages.hpp"

#include <vector>

namespace edgeloop::wire {

/// One packet of every kind, in the order of the variant.
inline std::vector<Packet> sample_packets() {
    const MeasurementJob job{R"({"family":"cnn3d"})", R"({"threads":1})", "pi5"};
    MeasurementResult result;
    result.metrics = {{"latency_ms", 1.5}, {"latency_p90_ms", 1.75}};
    result.seconds = 0.25;
    result.device = "pi5-1";
    result.record = R"({"governor":"performance"})";
    return {{Hello{Role::agent, "device", 42, "class", "{}"}, 0},
            {Welcome{43, 1000}, 0},
            {Refused{"no"}, 1},
            {Heartbeat{7, {7, 8}}, 0},
            {UnknownSession{}, 0},
            {Shutdown{}, 0},
            {Submit{job, -3}, 5},
            {Accepted{}, 5},
            {Busy{}, 5},
            {Cancel{}, 5},
            {Result{result}, 5},
            {ResultAck{}, 5},
            {LinkReport{2, 9}, 0},
            {DeviceInfo{"device", "class", "{}"}, 0},
            {Ready{2}, 0},
            {Job{job}, 5},
            {Started{}, 5},
            {StatusRequest{}, 0},
            {StatusReply{"{}"}, 0},
            {Drop{"pi5", "search"}, 5},
            {Dropped{3}, 0},
            {PieceRequest{{{1, 2}, 7}, 3}, 5},
            {Piece{{{1, 2}, 7}, 3, std::string("\0\xff\x80z", 4)}, 5}};
}

}  // namespace edgeloop::wire
