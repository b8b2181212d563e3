#pragma once

#include "edgeloop/core/clock.hpp"

namespace edgeloop::test {

/// Waits until it holds. @return false when it does not within this time.
template <class Condition>
[[nodiscard]] bool eventually(const Condition& holds, double limit_seconds = 60) {
    const double deadline = steady_seconds() + limit_seconds;
    BackOff back_off;
    while (!holds()) {
        if (steady_seconds() > deadline) return false;
        back_off.wait();
    }
    return true;
}

}  // namespace edgeloop::test
