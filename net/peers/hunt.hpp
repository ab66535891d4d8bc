#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include "net/peers/backoff.hpp"
#include "net/peers/mesh.hpp"

namespace monodon::net {

/// What the coroutine that looks for peers remembers. On its strand only.
struct Network::Impl::Hunt {
    Hunt(const asio::any_io_executor& executor, const NetworkConfig& config)
        : strand(asio::make_strand(executor)), timer(strand) {
        const NetworkLimits& limits = config.limits;
        const Backoff wait(limits.seed_redial_first, limits.seed_redial_most, limits.redial_reset_after);
        for (const Seed& seed : config.seeds) seeds.push_back({seed, wait});
    }

    /// What we have asked one session.
    struct Questions {
        unsigned asked = 0;
        Time next{};
    };
    struct Source {
        Seed seed;
        Backoff backoff;
        Time next{};
        bool dialling = false;
        /// Who was found there last.
        std::optional<PeerId> peer = {};
        Time found{};
    };

    struct Dial {
        std::string address;
        /// To stay connected, not to look who is there.
        bool stay = true;
    };
    /// Where connections that stay may come from at any moment: they count like those that are there.
    [[nodiscard]] std::vector<std::string> coming() const {
        std::vector<std::string> addresses;
        for (const auto& [peer, dial] : dialling) {
            if (dial.stay) addresses.push_back(dial.address);
        }
        return addresses;
    }

    asio::any_io_executor strand;
    asio::steady_timer timer;
    /// By the serial of the session; those that have ended are forgotten.
    std::map<std::uint32_t, Questions> questions;
    std::vector<Source> seeds;
    /// Who is being dialled because of the address book.
    std::map<PeerId, Dial> dialling;
    Time next_test{};
    Time next_expiry{};
};

}  // namespace monodon::net
