#pragma once

#include <array>
#include <utility>

#include "dag/model/types.hpp"
#include "net/core/digest.hpp"

namespace monodon::storage {

/// The digests by author of a round and of the one below it: all that a walk over certificates in their order
/// needs to know of parents. A new round costs a bit for each author and not a digest.
class TwoRounds {
 public:
    [[nodiscard]] dag::Round round() const { return round_; }
    /// Rounds do not fall from call to call.
    void enter(dag::Round round) {
        if (round == round_) return;
        std::swap(below_, present_);
        if (round != next(round_)) rows_[below_].authors = {};
        rows_[present_].authors = {};
        round_ = round;
    }
    /// Null if there is none; until the next call of enter().
    [[nodiscard]] const Digest* present(dag::ValidatorIndex author) const {
        return rows_[present_].at(author);
    }
    [[nodiscard]] const Digest* below(dag::ValidatorIndex author) const { return rows_[below_].at(author); }
    void add(dag::ValidatorIndex author, const Digest& digest) {
        Row& row = rows_[present_];
        row.digests.at(author.value()) = digest;
        row.authors.insert(author);
    }

 private:
    struct Row {
        dag::AuthorSet authors;
        std::array<Digest, dag::kCommitteeMax> digests{};
        [[nodiscard]] const Digest* at(dag::ValidatorIndex author) const {
            return authors.contains(author) ? &digests[author.value()] : nullptr;
        }
    };
    dag::Round round_;
    std::array<Row, 2> rows_;
    std::size_t below_ = 0;
    std::size_t present_ = 1;
};

}  // namespace monodon::storage
