#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace edgeloop {

/// How much a cache keeps.
struct CacheBounds {
    std::size_t answers = 5000;
    std::uint64_t bytes = std::uint64_t{64} << 20;
};

/// Answers that take long to find out, by what they depend on: a file each, in a folder that is
/// this user's own. What is used longest ago goes first. No failure of the folder is one of its
/// user: what cannot be read is not there, what cannot be written is not kept.
///
/// A file is an envelope (core/envelope.hpp), magic "EANS", version 1: the key, a line feed, the
/// answer. One that is damaged, or of another key, is removed.
class AnswerCache {
  public:
    /// @param folder  made when it is missing; empty: keeps nothing.
    explicit AnswerCache(std::string folder, const CacheBounds& bounds = {});

    /// @param key  a line.
    [[nodiscard]] std::optional<std::string> find(const std::string& key) const;
    void keep(const std::string& key, const std::string& answer) const;

  private:
    [[nodiscard]] std::string path_of(const std::string& key) const;
    void forget_oldest() const;

    std::string folder_;
    CacheBounds bounds_;
};

}  // namespace edgeloop
