#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

/// Who may ask what, as pure functions.
namespace monodon::node {

/// Whether a Host header means us: a loopback name or address, the address the request arrived at (`local`,
/// without port), or one of `names`, whatever the port. A web page whose own name was made to resolve to us
/// names itself.
[[nodiscard]] bool is_our_host(std::string_view host, const std::vector<std::string>& names,
                               std::string_view local);

/// Whether an Origin header is that of the host a request was sent to.
[[nodiscard]] bool is_same_origin(std::string_view origin, std::string_view host);

/// Whether a user at the other end of the admin socket may change anything.
[[nodiscard]] bool may_change(uid_t user, uid_t owner);

}  // namespace monodon::node
