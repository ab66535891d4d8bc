#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "net/core/check.hpp"

namespace monodon {

/// The error side of an Expected, with the name and meaning of C++23's std::unexpected.
template <class E>
class Unexpected {
 public:
    constexpr explicit Unexpected(E error) : error_(std::move(error)) {}
    [[nodiscard]] constexpr const E& error() const& noexcept { return error_; }
    [[nodiscard]] constexpr E&& error() && noexcept { return std::move(error_); }

 private:
    E error_;
};

/// A value or an error: the subset of C++23's std::expected that this project uses, until the compiler has
/// it. Access to the side that is not there is our bug and aborts.
template <class T, class E>
class [[nodiscard]] Expected {
 public:
    using value_type = T;
    using error_type = E;

    constexpr Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: as std
    template <class G>
    constexpr Expected(Unexpected<G> error)  // NOLINT: as std
        : state_(std::in_place_index<1>, std::move(error).error()) {}

    [[nodiscard]] constexpr bool has_value() const noexcept { return state_.index() == 0; }
    constexpr explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] constexpr T& value() & {
        MONODON_CHECK(has_value());
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] constexpr const T& value() const& {
        MONODON_CHECK(has_value());
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] constexpr T&& value() && {
        MONODON_CHECK(has_value());
        return std::move(*std::get_if<0>(&state_));
    }
    [[nodiscard]] constexpr const E& error() const {
        MONODON_CHECK(!has_value());
        return *std::get_if<1>(&state_);
    }
    [[nodiscard]] constexpr T& operator*() & { return value(); }
    [[nodiscard]] constexpr const T& operator*() const& { return value(); }
    [[nodiscard]] constexpr T&& operator*() && { return std::move(*this).value(); }
    [[nodiscard]] constexpr T* operator->() { return &value(); }
    [[nodiscard]] constexpr const T* operator->() const { return &value(); }

 private:
    std::variant<T, E> state_;
};

/// Success without a value, or an error.
template <class E>
class [[nodiscard]] Expected<void, E> {
 public:
    using value_type = void;
    using error_type = E;

    constexpr Expected() = default;
    template <class G>
    constexpr Expected(Unexpected<G> error) : error_(std::move(error).error()) {}  // NOLINT: as std

    [[nodiscard]] constexpr bool has_value() const noexcept { return !error_.has_value(); }
    constexpr explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] constexpr const E& error() const {
        MONODON_CHECK(error_.has_value());
        return *error_;
    }

 private:
    std::optional<E> error_;
};

}  // namespace monodon
