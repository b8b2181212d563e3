#pragma once

#include "edgeloop/architecture/architecture_spec.hpp"
#include "edgeloop/architecture/counts.hpp"

#include <memory>
#include <mutex>
#include <optional>
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
    /// Totals of count(), without the layers; counted when they are first asked for.
    /// @throws ConfigError  the network is none that can be built.
    [[nodiscard]] const ModelCounts& counts() const;

  private:
    ArchitectureSpec spec_;
    std::string text_;
    Digest identity_, network_identity_;
    mutable std::once_flag counted_;
    mutable std::optional<ModelCounts> counts_;
};

}  // namespace edgeloop
