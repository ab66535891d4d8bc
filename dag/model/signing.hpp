#pragma once

#include "dag/model/types.hpp"

namespace monodon::dag {

/// In which rounds this member may vote and propose. A member that may have forgotten what it signed (its
/// store was lost, or is an old copy) must not sign again where it could contradict itself (consensus.md
/// 9.3).
struct SigningBound {
    /// Not in rounds up to and including this one.
    Round above;
    /// In no round at all before the others were asked where they last saw this member.
    bool ask = false;
    friend bool operator==(const SigningBound&, const SigningBound&) = default;
};

}  // namespace monodon::dag
