#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace monodon::storage {

/// Where the certificates of the graph come from. What comes out is the same.
enum class RecoveryStrategy : std::uint8_t {
    from_scratch,     ///< every certificate above the graph floor is read from its row
    from_checkpoint,  ///< the newest local checkpoint that verifies, and the rows of all it does not hold
    hybrid,           ///< from a checkpoint, and from scratch where none verifies
};
[[nodiscard]] std::string_view describe(RecoveryStrategy strategy);
[[nodiscard]] std::optional<RecoveryStrategy> parse_recovery_strategy(std::string_view text);

}  // namespace monodon::storage
