#include "tools/simulate/disk.hpp"

#include <algorithm>

#include "net/core/check.hpp"

namespace monodon::sim {

void Disk::begin_sync() {
    MONODON_CHECK(syncing_.empty());
    std::move(queued_.begin(), queued_.end(), std::back_inserter(syncing_));
    queued_.clear();
}

std::vector<dag::WriteId> Disk::end_sync() {
    std::vector<dag::WriteId> told;
    for (const dag::Persist& each : std::exchange(syncing_, {})) {
        for (const dag::Record& record : each.records) write(record);
        if (each.notify) told.push_back(each.id);
    }
    return told;
}

void Disk::begin_batch_sync() {
    MONODON_CHECK(syncing_batches_.empty());
    syncing_batches_ = std::exchange(queued_batches_, {});
}

std::vector<Batch> Disk::end_batch_sync() {
    for (const Batch& each : syncing_batches_) batches_.emplace(each.entry.batch, each);
    return std::exchange(syncing_batches_, {});
}

const Batch* Disk::find_batch(const Digest& digest) const {
    const auto at = batches_.find(digest);
    return at == batches_.end() ? nullptr : &at->second;
}

void Disk::crash(Random& random, bool none) {
    const std::size_t survive = none ? 0 : random.below(syncing_.size() + 1);
    for (std::size_t at = 0; at < survive; ++at) {
        for (const dag::Record& record : syncing_[at].records) write(record);
    }
    for (const Batch& each : syncing_batches_) {
        if (!none && random.chance(50)) batches_.emplace(each.entry.batch, each);
    }
    syncing_.clear();
    queued_.clear();
    syncing_batches_.clear();
    queued_batches_.clear();
}

Disk Disk::backup() const {
    Disk copy = *this;
    copy.syncing_.clear();
    copy.queued_.clear();
    copy.syncing_batches_.clear();
    copy.queued_batches_.clear();
    copy.signing_.ask = true;
    return copy;
}

void Disk::write(const dag::Record& record) {
    if (const auto* certificate = std::get_if<dag::CertificateRecord>(&record)) {
        certificates_.emplace(certificate->certificate->ref().slot(), certificate->certificate);
        by_digest_.emplace(certificate->certificate->header.digest, certificate->certificate);
    } else if (const auto* vote = std::get_if<dag::VoteRecord>(&record)) {
        votes_.insert_or_assign(vote->vote.author, vote->vote);
    } else if (const auto* header = std::get_if<dag::OwnHeaderRecord>(&record)) {
        own_header_ = header->header;
    } else if (const auto* commit = std::get_if<dag::CommitRecord>(&record)) {
        MONODON_CHECK(commit->commit->index.value() == commits_.size() + 1);
        commits_.push_back(commit->commit);
        for (const dag::PayloadEntry& entry : commit->commit->payload) executed_.insert(entry.batch);
    } else if (const auto* signing = std::get_if<dag::SigningRecord>(&record)) {
        signing_ = signing->bound;
    } else {
        floor_ = std::get<dag::GraphFloorRecord>(record).floor;
    }
}

dag::RecoveredState Disk::recover(std::uint64_t history_events, std::uint64_t life) const {
    dag::RecoveredState state;
    std::size_t first = commits_.size();
    while (first > 0) {
        const bool needed = commits_.size() - first < history_events ||
                            commits_[first - 1]->anchor.round >= below(commits_.back()->anchor.round, life);
        if (!needed) break;
        --first;
    }
    state.commits.assign(commits_.begin() + static_cast<std::ptrdiff_t>(first), commits_.end());
    const auto above_floor = certificates_.lower_bound({next(floor_), dag::ValidatorIndex{}});
    for (auto each = above_floor; each != certificates_.end(); ++each) {
        state.certificates.push_back(each->second);
    }
    for (const auto& [author, vote] : votes_) state.votes.push_back(vote);
    state.own_header = own_header_;
    state.signing = signing_;
    state.graph_floor = floor_;
    state.executed = applied_;
    return state;
}

std::optional<dag::PayloadEntry> Disk::batch(const dag::PayloadEntry& named) const {
    const Batch* found = find_batch(named.batch);
    if (found == nullptr) return std::nullopt;
    return found->entry;
}

dag::CommitPtr Disk::commit(dag::CommitIndex index) const {
    const bool there = index.value() >= 1 && index.value() <= commits_.size();
    return there ? commits_[index.value() - 1] : nullptr;
}

const dag::VerifiedCertificate* Disk::certificate(const Digest& header) const {
    const auto at = by_digest_.find(header);
    return at == by_digest_.end() ? nullptr : &at->second;
}

}  // namespace monodon::sim
