#pragma once

#include <optional>
#include <vector>

#include "dag/model/header.hpp"

namespace monodon::dag {

/// The last vote given for each author (consensus.md V3, V6): rounds only rise, so that one record per author
/// is enough to never vote twice in a slot. The store holds the same records.
class VoteBook {
 public:
    enum class Answer : std::uint8_t {
        grant,         ///< no vote for this slot or a later one yet
        repeat,        ///< this very header was voted for: the same vote again
        equivocation,  ///< another header of this slot was voted for
        too_old,       ///< a later header of this author was voted for
    };

    explicit VoteBook(std::size_t committee_size) : last_(committee_size) {}

    [[nodiscard]] Answer ask(const HeaderRef& header) const;
    /// Must be a vote that ask() grants.
    void record(const Vote& vote);
    [[nodiscard]] const std::optional<Vote>& last(ValidatorIndex author) const {
        return last_.at(author.value());
    }

 private:
    std::vector<std::optional<Vote>> last_;
};

}  // namespace monodon::dag
