#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "net/peers/duplicate_rule.hpp"
#include "net/peers/network.hpp"
#include "net/rpc/session.hpp"

namespace monodon::net {

/// Who is connected, and who may be: the members of the committee, one connection each, and limited numbers
/// of observers, one connection each as well, and of clients. Thread-safe; a lookup takes a shared lock only.
class Registry {
 public:
    Registry(PeerId self, const NetworkConfig& config);

    [[nodiscard]] bool is_member(const PeerId& peer) const { return members_.contains(peer); }

    /// A place for a connection that has not greeted yet, freed when it goes.
    class HalfOpen {
     public:
        HalfOpen(Registry& registry, std::uint64_t number) : registry_(&registry), number_(number) {}
        HalfOpen(HalfOpen&& other) noexcept
            : registry_(std::exchange(other.registry_, nullptr)), number_(other.number_) {}
        HalfOpen& operator=(HalfOpen&&) = delete;
        ~HalfOpen() {
            if (registry_ != nullptr) registry_->leave_half_open(number_);
        }

     private:
        Registry* registry_;
        std::uint64_t number_;
    };
    /// Why not, if there are too many from this host, or in all and none of them has been greeting for long.
    /// Else the one that has been longest gives way, of the host that has most, strangers first: a member
    /// greets within milliseconds, so who only sits there does not keep it out, and a flood is turned away
    /// unread. `give_way` closes the connection; called at most once, on the thread of the one that comes.
    [[nodiscard]] Expected<HalfOpen, std::string_view> enter_half_open(const std::string& host,
                                                                       std::function<void()> give_way);

    /// Takes a session in. The session that it replaces, if any; or why it may not come in.
    [[nodiscard]] Expected<std::shared_ptr<Session>, GoawayReason> admit(
        const std::shared_ptr<Session>& session);
    /// Takes a session out. True if its peer has no session left.
    bool remove(const std::shared_ptr<Session>& session, const std::string& why);
    void note_error(const PeerId& peer, const std::string& why);
    /// Where a member is expected from now on.
    void set_addresses(const PeerId& peer, const std::vector<std::string>& addresses);
    /// Some member is not connected.
    [[nodiscard]] bool members_missing() const;
    /// Somebody is connected who is no client.
    [[nodiscard]] bool has_nodes() const;
    /// How many connections we have dialled.
    [[nodiscard]] std::size_t outbound() const;
    /// We have dialled as many observers in the network of this address as may be, those that are `coming`
    /// included: else one network could be all that we see.
    [[nodiscard]] bool is_crowded(const std::string& address, const std::vector<std::string>& coming) const;

    /// Of a member.
    [[nodiscard]] std::shared_ptr<Session> find(const PeerId& peer) const;
    /// A member or an observer has a connection with us.
    [[nodiscard]] bool is_connected(const PeerId& peer) const;
    [[nodiscard]] std::shared_ptr<Session> find(std::uint32_t serial) const;
    [[nodiscard]] std::vector<std::shared_ptr<Session>> all() const;
    [[nodiscard]] std::vector<std::shared_ptr<Session>> observers() const;
    [[nodiscard]] std::vector<PeerStatus> status() const;
    /// Connections that have not greeted yet, and clients.
    [[nodiscard]] std::size_t half_open() const;
    [[nodiscard]] std::uint32_t clients() const;

 private:
    struct Member {
        std::shared_ptr<Session> session;
        std::vector<std::string> addresses;
        std::uint64_t connections = 0;
        std::string last_error;
    };
    struct Greeting {
        std::string host;
        std::function<void()> give_way;
        Time since;
    };
    void leave_half_open(std::uint64_t number);
    /// With the mutex: whose place the next one takes; end() if none has been greeting for long.
    [[nodiscard]] std::map<std::uint64_t, Greeting>::iterator may_give_way();
    [[nodiscard]] bool exempt(const std::string& host) const;
    /// Peers outside the committee, of one role, that have dialled us.
    struct Strangers {
        std::uint32_t most = 0;
        std::uint32_t most_of_host = 0;
        std::uint32_t most_of_network = 0;
        std::uint32_t connections = 0;
        std::map<std::string, std::uint32_t> by_host = {};
        std::map<std::string, std::uint32_t> by_network = {};
    };
    [[nodiscard]] bool has_place(const Strangers& strangers, const std::string& address) const;
    [[nodiscard]] Expected<std::shared_ptr<Session>, GoawayReason> admit_observer(
        const std::shared_ptr<Session>& session);
    static void enter(Strangers& strangers, const std::string& address);
    static void leave(Strangers& strangers, const std::string& address);
    void leave(const std::shared_ptr<Session>& observer);

    const PeerId self_;
    const NetworkLimits limits_;
    mutable std::shared_mutex mutex_;
    std::unordered_map<PeerId, Member> members_;
    std::map<std::uint32_t, std::shared_ptr<Session>> by_serial_;
    Strangers clients_;
    Strangers observers_;
    std::map<PeerId, std::shared_ptr<Session>> observer_sessions_;
    /// The hosts at which members are expected.
    std::set<std::string> member_hosts_;
    /// Those that came first come first.
    std::map<std::uint64_t, Greeting> greeting_;
    std::uint64_t entered_ = 0;
};

/// The host of `host:port`.
[[nodiscard]] std::string host_of(const std::string& address);

}  // namespace monodon::net
