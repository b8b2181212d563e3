#include "edgeloop/architecture/design.hpp"

namespace edgeloop {

Design::Design(ArchitectureSpec spec)
    : spec_(std::move(spec)),
      text_(spec_.canonical()),
      identity_(digest(text_)),
      network_identity_(spec_.network_identity()) {}

DesignPtr Design::of(ArchitectureSpec spec) {
    return std::make_shared<const Design>(std::move(spec));
}

const ModelCounts& Design::counts() const {
    std::call_once(counted_, [this] {
        counts_ = count(spec_);
        counts_->layers = {};  // the most of it, and archives keep many designs
    });
    return *counts_;
}

DesignPtr Design::parse(const std::string& text, const std::string& where) {
    return of(ArchitectureSpec::from_json(parse_json(text, where), where));
}

}  // namespace edgeloop
