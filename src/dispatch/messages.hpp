#pragma once

#include "edgeloop/core/error.hpp"
#include "edgeloop/evaluation/binary_fields.hpp"

#include <cstddef>
#include <istream>
#include <ostream>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

#include <cereal/archives/binary.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

namespace edgeloop {

/// Tags of the messages between coordinator and workers. All ranks run the same program, so the
/// payloads carry no version.
enum class MessageTag : int {
    assign = 1,  ///< to a leader: Assignment, candidates to evaluate, in order
    cancel,      ///< to a leader: id of a candidate to end early
    shutdown,    ///< to every worker: no more candidates
    results,     ///< from a leader: outcomes
    heartbeat,   ///< from a worker: where it is, for the watchdog
    ended,       ///< from a worker: it has shut down
};

/// Work for a group.
struct Assignment {
    std::vector<Candidate> candidates;
    bool joined = false;  ///< all groups of the block train the one candidate together

    template <class Archive>
    void serialize(Archive& archive) {
        archive(candidates, joined);
    }
};

template <class Archive>
void serialize(Archive& archive, Outcome& outcome) {
    const auto put = [&](const char*, auto& field, auto...) { archive(field); };
    Outcome::fields(outcome, put);
    Outcome::training_fields(outcome, put);
}

/// The bytes of a message while they are written or read; unlike a string stream it copies none.
class MessageBytes : public std::streambuf {
  public:
    MessageBytes() = default;
    explicit MessageBytes(const std::string& bytes) {
        char* const begin = const_cast<char*>(bytes.data());  // only ever read
        setg(begin, begin, begin + bytes.size());
    }
    [[nodiscard]] std::string take() { return std::move(written_); }

  protected:
    std::streamsize xsputn(const char* data, std::streamsize size) override {
        written_.append(data, std::size_t(size));
        return size;
    }
    int_type overflow(int_type one) override {
        if (!traits_type::eq_int_type(one, traits_type::eof())) written_ += char(one);
        return traits_type::not_eof(one);
    }

  private:
    std::string written_;
};

/// The payload of a message.
template <class Value>
[[nodiscard]] std::string encode(const Value& value) {
    MessageBytes bytes;
    std::ostream stream(&bytes);
    cereal::BinaryOutputArchive archive(stream);
    archive(value);
    return bytes.take();
}

/// @throws CommError.
template <class Value>
[[nodiscard]] Value decode(const std::string& bytes) {
    Value value{};
    try {
        MessageBytes source(bytes);
        std::istream stream(&source);
        cereal::BinaryInputArchive archive(stream);
        archive(value);
    } catch (const cereal::Exception& error) {
        throw CommError("a message between ranks cannot be read", error.what(),
                        "start all ranks with the same build of edgeloop");
    }
    return value;
}

}  // namespace edgeloop
