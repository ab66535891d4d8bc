#include "net/peers/seed.hpp"

#include "net/peers/peer_address.hpp"

namespace monodon::net {

std::optional<Seed> Seed::parse(std::string_view text) {
    Seed seed;
    if (const auto at = text.find('@'); at != std::string_view::npos) {
        seed.peer = PeerId::parse(text.substr(0, at));
        if (!seed.peer) return std::nullopt;
        text.remove_prefix(at + 1);
    }
    const auto address = PeerAddress::parse(text);
    if (!address) return std::nullopt;
    seed.address = address->text;
    return seed;
}

}  // namespace monodon::net
