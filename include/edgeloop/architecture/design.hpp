#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"

#include <memory>
#include <string>

namespace edgeloop {

class Design;
/// A design is shared, never copied; null where there is none, as in analytic problems.
using DesignPtr = std::shared_ptr<const Design>;

/// A spec with everything that follows from it, made once where the design is proposed or comes in.
/// Immutable, so threads may share it.
class Design {
  public:
    explicit Design(ArchitectureSpec spec);

    [[nodiscard]] static DesignPtr of(ArchitectureSpec spec);
    /// From what text() gave, at a border of the process.
    /// @throws ConfigError  as ArchitectureSpec::from_json.
    [[nodiscard]] static DesignPtr parse(const std::string& text, const std::string& where);

    [[nodiscard]] const ArchitectureSpec& spec() const { return spec_; }
    /// ArchitectureSpec::canonical().
    [[nodiscard]] const std::string& text() const { return text_; }
    /// ArchitectureSpec::identity().
    [[nodiscard]] const Digest& identity() const { return identity_; }
    /// ArchitectureSpec::network_identity().
    [[nodiscard]] const Digest& network_identity() const { return network_identity_; }

  private:
    ArchitectureSpec spec_;
    std::string text_;
    Digest identity_, network_identity_;
};

}  // namespace edgeloop
