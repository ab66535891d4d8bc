#pragma once

#include <compare>
#include <functional>

namespace monodon {

/// A number with a meaning of its own: explicit in both directions, ordered, and with no arithmetic, so that
/// a round is never added to an author index by accident.
template <class T, class Tag>
class Strong {
 public:
    using value_type = T;

    constexpr Strong() = default;
    constexpr explicit Strong(T value) : value_(value) {}
    [[nodiscard]] constexpr T value() const noexcept { return value_; }
    friend constexpr auto operator<=>(const Strong&, const Strong&) = default;

 private:
    T value_{};
};

}  // namespace monodon

template <class T, class Tag>
struct std::hash<monodon::Strong<T, Tag>> {
    std::size_t operator()(const monodon::Strong<T, Tag>& strong) const noexcept {
        return std::hash<T>{}(strong.value());
    }
};
