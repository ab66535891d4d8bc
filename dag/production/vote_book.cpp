#include "dag/production/vote_book.hpp"

#include "dag/planted.hpp"
#include "net/core/check.hpp"

namespace monodon::dag {

VoteBook::Answer VoteBook::ask(const HeaderRef& header) const {
    const auto& last = last_.at(header.author.value());
    if (!last || header.round > last->round) return Answer::grant;
    if (header.round < last->round) return Answer::too_old;
    if (header.digest == last->header) return Answer::repeat;
    return planted(Planted::equivocation_voted) ? Answer::grant : Answer::equivocation;
}

void VoteBook::record(const Vote& vote) {
    MONODON_CHECK(ask(vote.ref()) == Answer::grant);
    last_.at(vote.author.value()) = vote;
}

}  // namespace monodon::dag
