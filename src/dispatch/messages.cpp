#include "messages.hpp"

#include "edgeloop/core/error.hpp"
#include "edgeloop/evaluation/binary_fields.hpp"

#include <sstream>

#include <cereal/archives/binary.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

namespace edgeloop {

template <class Archive>
void serialize(Archive& archive, Assignment& assignment) {
    archive(assignment.candidates, assignment.joined);
}

namespace {

template <class Value>
std::string encode(const Value& value) {
    std::ostringstream stream;
    cereal::BinaryOutputArchive archive(stream);
    archive(value);
    return std::move(stream).str();
}

template <class Value>
Value decode(const std::string& bytes) {
    Value value{};
    try {
        std::istringstream stream(bytes);
        cereal::BinaryInputArchive archive(stream);
        archive(value);
    } catch (const cereal::Exception& error) {
        throw CommError("a message between ranks cannot be read", error.what(),
                        "start all ranks with the same build of edgeloop");
    }
    return value;
}

}  // namespace

std::string encode_assignment(const Assignment& assignment) { return encode(assignment); }
Assignment decode_assignment(const std::string& bytes) { return decode<Assignment>(bytes); }
std::string encode_outcomes(const std::vector<Outcome>& outcomes) { return encode(outcomes); }
std::vector<Outcome> decode_outcomes(const std::string& bytes) {
    return decode<std::vector<Outcome>>(bytes);
}
std::string encode_id(CandidateId id) { return encode(id); }
CandidateId decode_id(const std::string& bytes) { return decode<CandidateId>(bytes); }

}  // namespace edgeloop
