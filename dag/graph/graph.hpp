#pragma once

#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "dag/model/committee.hpp"
#include "dag/model/verification.hpp"

namespace monodon::dag {

/// A certificate in its place, with what the graph knows of it.
struct Vertex {
    VerifiedCertificate certificate;
    AuthorSet parents;
    /// Stake of the certificates of the next round, in the graph, that name this one as a parent. Kept for
    /// every vertex, so that a change of schedule costs nothing.
    Stake support = 0;
    /// Authors of those certificates.
    AuthorSet children;
    bool ordered = false;

    [[nodiscard]] HeaderRef ref() const { return certificate->ref(); }
};

enum class Insertion : std::uint8_t {
    inserted,
    duplicate,        ///< the same header is there already
    below_floor,      ///< can never be ordered by us any more (C1)
    missing_parents,  ///< see missing_parents(): suspend and fetch (C4)
    conflict,         ///< another certificate has the slot: a safety violation (C2)
};

/// The certificates above the graph floor, causally closed down to floor + 1 (consensus.md 5). Dense rows by
/// author, bit masks per round; no lookup by hash, no order that depends on arrival.
class Graph {
 public:
    /// Keeps a reference to the committee. Rounds up to and including `floor` are gone.
    Graph(const Committee& committee, Round floor);

    /// C1, C2, C4 and the support of C5. Of a certificate of round floor + 1 the parents are not looked at.
    Insertion insert(const VerifiedCertificate& certificate);
    /// One that is here by its hash gets its signatures; true if it was so.
    bool prove(const VerifiedCertificate& certificate);
    /// The parents of this header that are not in the graph; none for rounds up to floor + 1.
    [[nodiscard]] std::vector<HeaderRef> missing_parents(const Header& header) const;
    [[nodiscard]] bool has_all_parents(const Header& header) const { return missing_parents(header).empty(); }

    [[nodiscard]] const Vertex* find(Slot slot) const;
    [[nodiscard]] bool contains(const HeaderRef& ref) const;
    /// Authors with a certificate in this round.
    [[nodiscard]] AuthorSet authors(Round round) const;
    [[nodiscard]] Stake stake(Round round) const;
    /// Whether every member has a certificate in this round. A round above the floor that has none is not.
    [[nodiscard]] bool has_complete_round(Round round) const {
        return round > floor_ && authors(round) == committee_.everybody();
    }
    /// Per round from the one above the floor through `round`, who has no certificate here: what somebody may
    /// have. At most `kRoundsListed` rounds above the highest are listed.
    struct MissingInRound {
        Round round;
        AuthorSet authors;
    };
    [[nodiscard]] std::vector<MissingInRound> missing_certificates_up_to(Round round) const;
    static constexpr std::uint64_t kRoundsListed = 4096;
    /// Stake >= Q.
    [[nodiscard]] bool has_quorum(Round round) const { return stake(round) >= committee_.quorum(); }
    /// Round 0 (or the floor) when empty.
    [[nodiscard]] Round highest() const;
    /// The highest round with a quorum; round 0 if there is none.
    [[nodiscard]] Round highest_quorum() const;
    [[nodiscard]] Round floor() const { return floor_; }
    [[nodiscard]] const Committee& committee() const { return committee_; }

    /// Authors per round of everything reachable from `from` along parent links, itself included, in rounds
    /// >= `low` (and above the floor). Index 0 is round `low`, the last is the round of `from`.
    [[nodiscard]] std::vector<AuthorSet> history(Slot from, Round low) const;
    [[nodiscard]] bool reaches(Slot from, Slot to) const;

    /// The slots whose support has reached V since the last call, in the order in which that happened:
    /// nothing else can make an anchor committable. For the one orderer of this graph.
    [[nodiscard]] std::vector<Slot> take_supported() { return std::exchange(supported_, {}); }
    /// The slot must be present.
    void mark_ordered(Slot slot);
    /// Drops whole rounds up to and including `floor`; never raises beyond what it is told, never falls (5).
    void collect(Round floor);

    /// Calls `visit(const Vertex&)` for each vertex of the round, ascending by author.
    template <class Visit>
    void for_each(Round round, Visit visit) const {
        authors(round).for_each([&](ValidatorIndex author) { visit(*find({round, author})); });
    }

 private:
    struct Row {
        std::vector<std::optional<Vertex>> by_author;
        AuthorSet present;
        Stake stake = 0;
    };
    [[nodiscard]] const Row* row(Round round) const;
    [[nodiscard]] Row* row(Round round);
    Row& row_to_fill(Round round);

    const Committee& committee_;
    Round floor_;
    /// rows_[i] is round floor_ + 1 + i.
    std::deque<Row> rows_;
    Round highest_quorum_;
    /// At most one entry per vertex.
    std::vector<Slot> supported_;
};

}  // namespace monodon::dag
