#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dag/config.hpp"
#include "dag/model/committee.hpp"
#include "net/core/digest.hpp"
#include "net/core/expected.hpp"
#include "net/core/keys.hpp"

namespace monodon::node {

struct GenesisMember {
    /// 1 to 32 letters, digits, `-`, `_` or `.`; unique.
    std::string name;
    PeerId peer;
    dag::Stake stake = 1;
    /// `host:port`, at most 4. May be empty for a member that only dials.
    std::vector<std::string> addresses;
};

/// What all members of a chain agree on before the first round: genesis.json. Immutable; always valid.
class Genesis {
 public:
    /// The committee's order is that of `members`. The error says what is wrong, in words.
    [[nodiscard]] static Expected<Genesis, std::string> make(std::string chain_id, dag::Epoch epoch,
                                                             dag::OrderingConfig ordering,
                                                             std::vector<GenesisMember> members);
    /// Unknown, missing and repeated members of an object are errors; so is a text above kGenesisBytesMax.
    [[nodiscard]] static Expected<Genesis, std::string> parse(std::string_view json);
    /// The error begins with the path.
    [[nodiscard]] static Expected<Genesis, std::string> load(const std::filesystem::path& file);
    /// Replaces the file as a whole or not at all.
    [[nodiscard]] Expected<void, std::string> save(const std::filesystem::path& file) const;
    /// parse(to_json()) gives the same genesis.
    [[nodiscard]] std::string to_json() const;

    /// Over what binds consensus: chain, epoch, keys and stakes in order, ordering parameters. Names and
    /// addresses are not part of it: they may differ between members.
    [[nodiscard]] const Digest& digest() const { return digest_; }
    [[nodiscard]] const dag::Committee& committee() const { return committee_; }
    [[nodiscard]] const dag::OrderingConfig& ordering() const { return ordering_; }
    [[nodiscard]] const std::vector<GenesisMember>& members() const { return members_; }
    [[nodiscard]] const GenesisMember& member(dag::ValidatorIndex index) const {
        return members_.at(index.value());
    }
    [[nodiscard]] std::optional<dag::ValidatorIndex> index_of(const PeerId& peer) const {
        return committee_.index_of(peer.key());
    }
    [[nodiscard]] std::optional<dag::ValidatorIndex> index_of(std::string_view name) const;

 private:
    Genesis(dag::Committee committee, dag::OrderingConfig ordering, std::vector<GenesisMember> members);

    dag::Committee committee_;
    dag::OrderingConfig ordering_;
    std::vector<GenesisMember> members_;
    Digest digest_;
};

/// 128 members of at most 32 + 64 + 4 * 260 characters and punctuation are below 256 KiB; the rest is white
/// space.
inline constexpr std::size_t kGenesisBytesMax = 1024 * 1024;
inline constexpr std::size_t kMemberAddressesMax = 4;

}  // namespace monodon::node
