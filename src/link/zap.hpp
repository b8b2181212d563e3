#pragma once

#include "link/allow_list.hpp"
#include "link/socket.hpp"

#include "edgeloop/link/rare_log.hpp"

namespace edgeloop {

/// Answers what libzmq asks of one context (ZAP, RFC 27), at most a bounded number at a time: only
/// listed keys enter. Every message of an admitted connection carries the key as its property
/// "User-Id".
void answer_zap(zmq::socket_t& socket, const AllowList& allow_list, RareLog& log, double now);

}  // namespace edgeloop
