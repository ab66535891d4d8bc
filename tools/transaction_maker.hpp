#pragma once

#include <cstdint>

#include "net/core/bytes.hpp"

namespace monodon::tools {

enum class LoadKind : std::uint8_t { opaque, put };

/// Transactions that are all different: a run number, the connection and a count, then bytes that do not
/// repeat within 64 KiB.
class TransactionMaker {
 public:
    /// `size` is raised to the least that holds what makes them different.
    TransactionMaker(LoadKind kind, std::uint64_t size, std::uint64_t run, std::uint32_t lane);
    [[nodiscard]] Bytes next();
    [[nodiscard]] std::size_t size() const { return size_; }

 private:
    [[nodiscard]] ByteView filling(std::size_t size) const;

    LoadKind kind_;
    std::size_t size_;
    std::uint64_t run_;
    std::uint32_t lane_;
    std::uint64_t count_ = 0;
    Bytes pool_;
};

}  // namespace monodon::tools
