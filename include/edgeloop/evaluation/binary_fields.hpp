#pragma once

#include "edgeloop/evaluation/candidate.hpp"

#include <string>

// How cereal's binary archives visit the records. Needs no cereal itself; for the types of the
// standard library include theirs.
namespace edgeloop {

template <class Archive>
void save(Archive& archive, const DesignPtr& design) {
    archive(design ? design->text() : std::string());
}

template <class Archive>
void load(Archive& archive, DesignPtr& design) {
    std::string text;
    archive(text);
    design = text.empty() ? nullptr : Design::parse(text, "candidate");
}

/// Anything that names its fields.
template <class Archive, class Record, class = decltype(&Record::template fields<Record, Archive&>)>
void serialize(Archive& archive, Record& record) {
    Record::fields(record, [&](const char*, auto& field, auto...) { archive(field); });
}

}  // namespace edgeloop
