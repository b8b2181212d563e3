#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

namespace edgeloop {

/// Something of which there is so much for all peers together.
///
/// Nobody gets more while he has as much as is left for all others: of one peer that takes what it
/// can get half is left, of two a third, of any number some.
class Share {
  public:
    explicit Share(std::uint64_t limit) : limit_(limit) {}

    [[nodiscard]] bool may_take(const std::string& who, std::uint64_t amount = 1) const;
    /// Counts it, whether or not he may.
    void take(const std::string& who, std::uint64_t amount = 1);
    /// @throws LogicError  more than he has.
    void give_back(const std::string& who, std::uint64_t amount = 1);

    [[nodiscard]] std::uint64_t used() const { return used_; }
    /// Everybody who has some, and how much.
    [[nodiscard]] const std::map<std::string, std::uint64_t>& parts() const { return parts_; }

  private:
    [[nodiscard]] std::uint64_t part_of(const std::string& who) const;

    std::uint64_t limit_, used_ = 0;
    std::map<std::string, std::uint64_t> parts_;
};

/// So much at once, and so much more a second.
struct Rate {
    double at_once, per_s;
};

/// A rate for each peer.
class Budgets {
  public:
    explicit Budgets(const Rate& rate) : rate_(rate) {}

    /// @return false when he has not so much left; then nothing is spent.
    bool spend(const std::string& who, double amount, double now);
    /// Takes it whether or not there is so much left: what is missing has to come back first.
    void owe(const std::string& who, double amount, double now);

  private:
    struct Account {
        double left, time;
    };
    Account& account_of(const std::string& who, double now);
    void forget_idle(double now);

    Rate rate_;
    std::unordered_map<std::string, Account> accounts_;
};

}  // namespace edgeloop
