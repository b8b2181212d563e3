#include "edgeloop/link/keys.hpp"

#include "link/allow_list.hpp"

#include "edgeloop/core/atomic_file.hpp"
#include "edgeloop/core/descriptor.hpp"
#include "edgeloop/core/error.hpp"
#include "edgeloop/core/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string_view>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

namespace edgeloop {
namespace {

constexpr std::size_t key_length = 40;
constexpr std::size_t max_key_file = 1 << 20;

std::string require_key(const std::string& text, const std::string& path) {
    std::array<std::uint8_t, 32> raw{};
    if (text.size() != key_length || zmq_z85_decode(raw.data(), text.c_str()) == nullptr)
        throw ConfigError(fmt::format("'{}' holds no valid key", path),
                          "a key is 40 characters of Z85", "make one with edgeloop-bridge keygen");
    return text;
}

struct KeyLine {
    std::string first, second;
};

/// First two words of each line that is not blank and no comment.
std::vector<KeyLine> key_lines(const std::string& path) {
    std::istringstream text(read_file(path, max_key_file));
    std::vector<KeyLine> lines;
    for (std::string line; std::getline(text, line);) {
        std::istringstream parts(line);
        KeyLine words;
        // '#' is a Z85 character too: a comment is a '#' followed by a blank or nothing.
        if (parts >> words.first && words.first != "#" &&
            !(words.first[0] == '#' && words.first.size() != key_length)) {
            parts >> words.second;
            lines.push_back(std::move(words));
        }
    }
    return lines;
}

AllowedKey::Role role_from(const std::string& word) {
    if (word == "device") return AllowedKey::Role::device;
    if (word == "operator") return AllowedKey::Role::operation;
    return word == "search" ? AllowedKey::Role::search : AllowedKey::Role::any;
}

void create_file(const std::string& path, const std::string& text, mode_t mode) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.get() < 0) {
        if (errno == EEXIST)
            throw ConfigError(fmt::format("'{}' exists already", path),
                              "keys are never overwritten", "choose another name");
        throw IoError(fmt::format("cannot create '{}'", path), std::strerror(errno));
    }
    if (write_all(file.get(), text) && sync_descriptor(file.get())) return;
    const int code = errno;
    ::unlink(path.c_str());  // or the name would be taken by half a key
    throw IoError(fmt::format("cannot write '{}'", path), std::strerror(code));
}

}  // namespace

LinkKeys generate_keys() {
    std::array<char, key_length + 1> public_key{}, secret_key{};
    if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
        throw CommError("cannot make keys", zmq_strerror(zmq_errno()),
                        "install a libzmq that was built with CURVE");
    return {public_key.data(), secret_key.data()};
}

void write_keys(const std::string& path, const LinkKeys& keys) {
    if (std::filesystem::exists(path + ".pub"))
        throw ConfigError(fmt::format("'{}.pub' exists already", path),
                          "keys are never overwritten", "choose another name");
    create_file(path, keys.secret_key + "\n" + keys.public_key + "\n", 0600);
    try {
        create_file(path + ".pub", keys.public_key + "\n", 0644);
    } catch (const Error&) {
        ::unlink(path.c_str());
        throw;
    }
}

LinkKeys read_keys(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0)
        throw ConfigError(fmt::format("the key file '{}' can be read by others", path),
                          "whoever reads it can pose as its owner",
                          fmt::format("chmod 600 {}", path));
    const auto refuse = [&](const char* why) {
        throw ConfigError(fmt::format("'{}' is not a key file", path), why,
                          "make one with edgeloop-bridge keygen");
    };
    const std::vector<KeyLine> lines = key_lines(path);
    if (lines.size() != 2) refuse("it needs a secret and a public key");
    const std::string secret_key = require_key(lines[0].first, path);
    std::array<char, key_length + 1> derived{};
    if (zmq_curve_public(derived.data(), secret_key.c_str()) != 0 ||
        lines[1].first != derived.data())
        refuse("its two keys do not belong together");
    return {lines[1].first, secret_key};
}

std::string read_public_key(const std::string& path) {
    const std::vector<KeyLine> lines = key_lines(path);
    if (lines.empty() || lines.size() > 2)
        throw ConfigError(fmt::format("'{}' holds no public key", path));
    return require_key(lines.back().first, path);
}

std::vector<KeyFile> key_files(const std::string& path) {
    namespace fs = std::filesystem;
    using Role = AllowedKey::Role;
    std::error_code error;
    if (!fs::exists(path, error))
        throw ConfigError(fmt::format("the allow-list '{}' is not there", path),
                          error ? error.message() : std::string(),
                          fmt::format("mkdir '{}' and put the .pub files of those into it that may "
                                      "connect, now or later",
                                      path));
    if (!fs::is_directory(path, error)) return {{path, true, Role::any}};
    std::vector<KeyFile> files;
    const auto add_folder = [&](const fs::path& folder, Role role) {
        if (!fs::is_directory(folder, error)) return;
        for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
             entry.increment(error))
            if (entry->path().extension() == ".pub")
                files.push_back({entry->path().string(), false, role});
        if (error) throw IoError(fmt::format("cannot read '{}'", folder.string()), error.message());
    };
    add_folder(path, Role::any);
    add_folder(fs::path(path) / "devices", Role::device);
    add_folder(fs::path(path) / "searches", Role::search);
    add_folder(fs::path(path) / "operators", Role::operation);
    return files;
}

std::vector<AllowedKey> read_key_file(const KeyFile& file) {
    if (!file.is_list) return {{read_public_key(file.path), file.role}};
    std::vector<AllowedKey> keys;
    for (const KeyLine& line : key_lines(file.path))
        keys.push_back({require_key(line.first, file.path), role_from(line.second)});
    return keys;
}

namespace {

constexpr std::string_view tcp = "tcp://";

bool starts(const std::string& text, std::string_view prefix) { return text.rfind(prefix, 0) == 0; }

/// HOST of tcp://HOST:PORT.
std::string host_of(const std::string& endpoint) {
    return endpoint.substr(tcp.size(), endpoint.rfind(':') - tcp.size());
}

bool is_port(const std::string& text, EndpointUse use) {
    const bool listens = use == EndpointUse::listen;
    if (text == "*") return listens;
    const int port = number_in<int>(text).value_or(-1);
    return port >= (listens ? 0 : 1) && port <= 65535;
}

}  // namespace

void check_endpoint(const std::string& endpoint, EndpointUse use) {
    const auto refuse = [&](const std::string& why, const std::string& suggestion) {
        throw ConfigError(fmt::format("'{}' is not an address", endpoint), why, suggestion);
    };
    const std::string ipc = "ipc://";
    if (starts(endpoint, ipc) && endpoint.size() > ipc.size()) {
        if (endpoint.size() - ipc.size() > max_socket_path)
            refuse(fmt::format("the path of a socket has at most {} bytes", max_socket_path),
                   "use a shorter path");
        return;
    }
    const auto colon = endpoint.rfind(':');
    if (!starts(endpoint, tcp) || colon == std::string::npos || colon <= tcp.size())
        refuse("it is neither tcp://HOST:PORT nor ipc://PATH", "write it like tcp://host:5701");
    const std::string host = host_of(endpoint), port = endpoint.substr(colon + 1);
    if (host.front() != '[' && host.find(':') != std::string::npos)
        refuse("an IPv6 address needs brackets", "write it like tcp://[::1]:5701");
    if (!is_port(port, use))
        refuse(fmt::format("'{}' is not a port", port),
               use == EndpointUse::listen ? "use a number from 1 to 65535, or * for any free one"
                                          : "use a number from 1 to 65535");
}

bool is_local_endpoint(const std::string& endpoint) {
    if (starts(endpoint, "ipc://") || starts(endpoint, "inproc://")) return true;
    if (!starts(endpoint, tcp) || endpoint.rfind(':') < tcp.size()) return false;
    const std::string host = host_of(endpoint);
    in_addr address{};
    // Numbers only: 127.example.org is a name and may be anywhere.
    if (::inet_pton(AF_INET, host.c_str(), &address) == 1)
        return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
    in6_addr long_address{};
    if (host.size() > 2 && host.front() == '[' && host.back() == ']' &&
        ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &long_address) == 1)
        return IN6_IS_ADDR_LOOPBACK(&long_address) ||
               (IN6_IS_ADDR_V4MAPPED(&long_address) && long_address.s6_addr[12] == IN_LOOPBACKNET);
    return host == "localhost";
}

}  // namespace edgeloop
