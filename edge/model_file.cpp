#include "model_file.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/core/regular_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

namespace edgeloop {
namespace {

constexpr std::int64_t max_bytes = std::int64_t{4} << 30;

void copy(int from, int to, const std::string& path) {
    std::vector<char> buffer(1 << 20);
    std::int64_t copied = 0;
    while (true) {
        const ssize_t got = ::read(from, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) return;
        copied += std::max<ssize_t>(got, 0);
        if (got < 0 || !write_all(to, {buffer.data(), static_cast<std::size_t>(got)}))
            throw ConfigError(fmt::format("cannot read '{}'", path), std::strerror(errno));
        if (copied > max_bytes)
            throw ConfigError(fmt::format("'{}' is too large", path), "it has more than 4 GiB");
    }
}

Descriptor make_memory() {
    Descriptor memory(::memfd_create("model", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (memory.get() < 0) throw IoError("cannot keep a file in memory", std::strerror(errno));
    return memory;
}

Descriptor sealed(const Descriptor& memory) {
    constexpr int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    const std::string again = fmt::format("/proc/self/fd/{}", memory.get());
    Descriptor read_only(::open(again.c_str(), O_RDONLY | O_CLOEXEC));
    if (read_only.get() < 0 || ::fcntl(memory.get(), F_ADD_SEALS, seals) != 0)
        throw IoError("cannot seal a file in memory", std::strerror(errno));
    return read_only;
}

}  // namespace

Descriptor sealed_copy(const std::string& path) {
    const Descriptor file = open_regular_file(path);
    const Descriptor memory = make_memory();
    copy(file.get(), memory.get(), path);
    return sealed(memory);
}

Descriptor sealed_bytes(std::string_view bytes) {
    const Descriptor memory = make_memory();
    if (!write_all(memory.get(), bytes))
        throw IoError("cannot keep a file in memory", std::strerror(errno));
    return sealed(memory);
}

}  // namespace edgeloop
