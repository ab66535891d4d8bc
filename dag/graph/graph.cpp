#include "dag/graph/graph.hpp"

#include <algorithm>

#include "dag/planted.hpp"
#include "net/core/check.hpp"

namespace monodon::dag {

Graph::Graph(const Committee& committee, Round floor) : committee_(committee), floor_(floor) {}

const Graph::Row* Graph::row(Round round) const {
    const std::uint64_t at = distance(floor_, round);
    return at == 0 || at > rows_.size() ? nullptr : &rows_[at - 1];
}

Graph::Row* Graph::row(Round round) {
    const std::uint64_t at = distance(floor_, round);
    return at == 0 || at > rows_.size() ? nullptr : &rows_[at - 1];
}

Graph::Row& Graph::row_to_fill(Round round) {
    MONODON_CHECK(round > floor_ && distance(floor_, round) <= rows_.size() + 1);
    if (distance(floor_, round) > rows_.size()) {
        rows_.emplace_back();
        rows_.back().by_author.resize(committee_.size());
    }
    return *row(round);
}

Insertion Graph::insert(const VerifiedCertificate& certificate) {
    const Header& header = certificate->header;
    if (header.round <= floor_) return Insertion::below_floor;
    if (const Vertex* present = find({header.round, header.author})) {
        return present->ref() == header.ref() ? Insertion::duplicate : Insertion::conflict;
    }
    const bool reaches_up = distance(floor_, header.round) <= rows_.size() + 1;
    if (!reaches_up || !has_all_parents(header)) return Insertion::missing_parents;

    Row& place = row_to_fill(header.round);
    place.by_author[header.author.value()].emplace(
        Vertex{certificate, header.parent_authors(), 0, {}, false});
    place.present.insert(header.author);
    place.stake += committee_.stake(header.author);
    if (place.stake >= committee_.quorum() && header.round > highest_quorum_) highest_quorum_ = header.round;
    const Stake support = committee_.support() - (planted(Planted::support_of_f) ? 1 : 0);
    if (Row* before = row(below(header.round, 1)); before != nullptr && header.round > next(floor_)) {
        for (const Parent& parent : header.parents) {
            Vertex& vertex = *before->by_author[parent.author.value()];
            const bool was_supported = vertex.support >= support;
            vertex.support += committee_.stake(header.author);
            if (!was_supported && vertex.support >= support) supported_.push_back(vertex.ref().slot());
            vertex.children.insert(header.author);
        }
    }
    return Insertion::inserted;
}

bool Graph::prove(const VerifiedCertificate& certificate) {
    const HeaderRef ref = certificate->ref();
    if (!certificate->has_proof() || !contains(ref)) return false;
    Vertex& vertex = *row(ref.round)->by_author[ref.author.value()];
    if (vertex.certificate->has_proof()) return false;
    vertex.certificate = certificate;
    return true;
}

std::vector<HeaderRef> Graph::missing_parents(const Header& header) const {
    std::vector<HeaderRef> missing;
    if (header.round <= next(floor_)) return missing;
    for (const Parent& parent : header.parents) {
        const HeaderRef ref{below(header.round, 1), parent.author, parent.header};
        if (!contains(ref)) missing.push_back(ref);
    }
    return missing;
}

const Vertex* Graph::find(Slot slot) const {
    const Row* place = row(slot.round);
    if (place == nullptr || !place->present.contains(slot.author)) return nullptr;
    return &*place->by_author[slot.author.value()];
}

bool Graph::contains(const HeaderRef& ref) const {
    const Vertex* vertex = find(ref.slot());
    return vertex != nullptr && vertex->ref() == ref;
}

AuthorSet Graph::authors(Round round) const {
    const Row* place = row(round);
    return place == nullptr ? AuthorSet{} : place->present;
}

std::vector<Graph::MissingInRound> Graph::missing_certificates_up_to(Round round) const {
    std::vector<MissingInRound> missing;
    const Round end = std::min(round, above(highest(), kRoundsListed));
    for (Round each = next(floor_); each <= end; each = next(each)) {
        const AuthorSet absent = committee_.everybody().without(authors(each));
        if (!absent.empty()) missing.push_back({each, absent});
    }
    return missing;
}

Stake Graph::stake(Round round) const {
    const Row* place = row(round);
    return place == nullptr ? 0 : place->stake;
}

Round Graph::highest() const { return above(floor_, rows_.size()); }

Round Graph::highest_quorum() const { return highest_quorum_; }

std::vector<AuthorSet> Graph::history(Slot from, Round low) const {
    MONODON_CHECK(find(from) != nullptr && low <= from.round);
    const Round lowest = low > floor_ ? low : next(floor_);
    std::vector<AuthorSet> reached(distance(low, from.round) + 1);
    reached.back().insert(from.author);
    for (Round round = from.round; round > lowest; round = below(round, 1)) {
        AuthorSet& parents = reached[distance(low, round) - 1];
        reached[distance(low, round)].for_each([&](ValidatorIndex author) {
            parents |= find({round, author})->parents;
        });
    }
    return reached;
}

bool Graph::reaches(Slot from, Slot to) const {
    if (find(from) == nullptr || find(to) == nullptr || to.round > from.round) return false;
    return history(from, to.round).front().contains(to.author);
}

void Graph::mark_ordered(Slot slot) {
    Row* place = row(slot.round);
    MONODON_CHECK(place != nullptr && place->present.contains(slot.author));
    place->by_author[slot.author.value()]->ordered = true;
}

void Graph::collect(Round floor) {
    while (floor_ < floor) {
        if (!rows_.empty()) rows_.pop_front();
        floor_ = next(floor_);
        if (rows_.empty()) {
            floor_ = floor;
            break;
        }
    }
}

}  // namespace monodon::dag
