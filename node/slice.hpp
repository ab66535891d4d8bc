#pragma once

#include <utility>

#include "net/core/bytes.hpp"

namespace monodon::node {

/// A part of shared, immutable bytes, which it keeps alive: what came in one message is handed on without a
/// copy.
struct Slice {
    SharedBytes owner;
    /// Within the owner's bytes.
    ByteView bytes;

    [[nodiscard]] static Slice whole(SharedBytes owner) {
        const ByteView all = owner ? ByteView(*owner) : ByteView{};
        return {std::move(owner), all};
    }
};

}  // namespace monodon::node
