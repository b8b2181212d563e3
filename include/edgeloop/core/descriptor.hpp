#pragma once

#include <string_view>
#include <utility>

#include <unistd.h>

namespace edgeloop {

/// Owns a file descriptor, or none (negative).
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int value) : value_(value) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    [[nodiscard]] int get() const { return value_; }
    void close() {
        if (value_ >= 0) ::close(value_);
        value_ = -1;
    }

  private:
    int value_ = -1;
};

/// Both ends close on exec.
struct Pipe {
    Descriptor read, write;
};
/// @throws IoError
[[nodiscard]] Pipe make_pipe();

/// Writes all of it, whatever interrupts. @return false when that failed, errno says why.
[[nodiscard]] bool write_all(int descriptor, std::string_view bytes);

}  // namespace edgeloop
