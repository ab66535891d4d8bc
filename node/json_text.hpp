#pragma once

#include <string>

#include <boost/json/value.hpp>

namespace monodon::node {

/// JSON on one line, as answers and commands print it: numbers with a point as people and simple scripts read
/// them, 31.524 where the library writes 3.1524E1, with the digits that give the same number again. What is
/// no number (an infinity) becomes null.
[[nodiscard]] std::string json_text(const boost::json::value& value);

}  // namespace monodon::node
