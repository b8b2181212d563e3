#pragma once

#include <cstddef>
#include <string>

namespace edgeloop {

/// Keys of one side of a secured link (CurveZMQ), Z85 text of 40 characters each. Empty: no
/// encryption.
struct LinkKeys {
    std::string public_key, secret_key;

    [[nodiscard]] bool empty() const { return secret_key.empty(); }
};

/// The address and keys with which to reach a bridge, or a search that binds.
struct BridgeAddress {
    std::string endpoint;
    LinkKeys keys;           ///< of this side; empty: no encryption
    std::string server_key;  ///< public key of the other side, with `keys`
};

/// A fresh key pair. @throws CommError when this libzmq was built without CURVE.
[[nodiscard]] LinkKeys generate_keys();

/// Writes `path` (secret and public key, mode 0600) and `path`.pub (public key only).
/// @throws IoError; ConfigError when `path` exists already: keys are never overwritten.
void write_keys(const std::string& path, const LinkKeys& keys);

/// @throws ConfigError  missing or malformed file, or one that others than its owner may read.
[[nodiscard]] LinkKeys read_keys(const std::string& path);

/// Public key from a .pub file (or from a file of read_keys()). @throws ConfigError.
[[nodiscard]] std::string read_public_key(const std::string& path);

/// What an address is for. Only one to listen on may leave the port open: '*' or 0, any free one.
enum class EndpointUse { listen, connect };

/// Of ipc://PATH: what a socket's address holds.
constexpr std::size_t max_socket_path = 107;

/// @throws ConfigError  for anything but tcp://HOST:PORT and ipc://PATH. libzmq would take a port
/// above 65535 modulo 65536.
void check_endpoint(const std::string& endpoint, EndpointUse use);

/// Whether only this machine can reach the endpoint: ipc, inproc or a loopback address.
[[nodiscard]] bool is_local_endpoint(const std::string& endpoint);

}  // namespace edgeloop
