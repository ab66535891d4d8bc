#include "storage/graph_loader.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "storage/checkpoint_files.hpp"
#include "storage/checkpoint_image.hpp"

namespace monodon::storage {

namespace {

/// Between two reports of progress.
constexpr std::size_t kToldEvery = 4096;

dag::Slot slot_of(const dag::VerifiedCertificate& certificate) { return certificate->ref().slot(); }

}  // namespace

Result<void> GraphLoader::load(Recovered& recovered) {
    recovered_ = &recovered;
    RecoverySummary& summary = recovered.summary;
    summary.asked = options_.strategy;
    bool done = false;
    if (options_.strategy != RecoveryStrategy::from_scratch) {
        auto found = from_checkpoint();
        if (!found) return Unexpected{found.error()};
        done = *found;
        if (!done && options_.strategy == RecoveryStrategy::from_checkpoint && !summary.fallbacks.empty()) {
            return fail(StoreError::incompatible,
                        fmt::format("no local checkpoint verifies ({}), and storage.recovery allows nothing "
                                    "else: set it to \"hybrid\", the graph is whole without them",
                                    summary.fallbacks.front()));
        }
    }
    if (!done) {
        if (auto read = from_scratch(); !read) return read;
    }
    const auto& certificates = recovered.state.certificates;
    summary.used = done ? RecoveryStrategy::from_checkpoint : RecoveryStrategy::from_scratch;
    summary.certificates = certificates.size();
    summary.highest_round = certificates.empty() ? dag::Round{} : certificates.back()->header.round;
    return {};
}

Result<void> GraphLoader::from_scratch() {
    auto cursor = tables_.certificates.by_slot(transaction_);
    if (!cursor) return Unexpected{cursor.error()};
    const dag::Slot first{next(recovered_->progress.graph_floor), dag::ValidatorIndex{}};
    auto row = cursor->at_or_after(slot_key(committee_.epoch(), first));
    for (; row && *row; row = cursor->next()) {
        const auto at = read_slot_key((*row)->key);
        take_row(at ? at->slot : dag::Slot{}, CertificateTable::read(committee_, **row));
        if (recovered_->state.certificates.size() % kToldEvery == 0) tell();
    }
    if (!row) return Unexpected{row.error()};
    return {};
}

void GraphLoader::take_row(dag::Slot slot, Result<dag::VerifiedCertificate> certificate) {
    if (certificate) {
        ++recovered_->summary.from_rows;
        recovered_->state.certificates.push_back(std::move(*certificate));
    } else {
        recovered_->dropped.push_back(certificate.error().text);
        recovered_->damaged.push_back(slot);
    }
}

void GraphLoader::tell() {
    if (!options_.progress) return;
    options_.progress({recovered_->state.certificates.size(), recovered_->progress.certificates});
}

Result<bool> GraphLoader::from_checkpoint() {
    if (options_.checkpoints.empty()) return false;
    auto rounds = tables_.checkpoints.rounds(transaction_, committee_.epoch());
    if (!rounds) return Unexpected{rounds.error()};
    auto& certificates = recovered_->state.certificates;
    for (auto round = rounds->rbegin(); round != rounds->rend(); ++round) {
        const auto read = read_checkpoint(*round);
        if (read) {
            recovered_->summary.checkpoint = *round;
            recovered_->summary.from_files = certificates.size();
            auto added = add_missing();
            if (!added) return Unexpected{added.error()};
            return true;
        }
        certificates.clear();
        recovered_->summary.fallbacks.push_back(
            fmt::format("checkpoint of round {}: {}", round->value(), read.error().text));
    }
    return false;
}

Result<void> GraphLoader::read_checkpoint(dag::Round round) {
    auto checkpoint = tables_.checkpoints.find(transaction_, committee_.epoch(), round);
    if (!checkpoint) return Unexpected{checkpoint.error()};
    if (!*checkpoint) return fail(StoreError::missing, "its row is gone");
    if (auto verified = verify_state(**checkpoint); !verified) return verified;
    const CheckpointFiles files(options_.checkpoints);
    const dag::Round floor = recovered_->progress.graph_floor;
    auto& certificates = recovered_->state.certificates;
    certificates.reserve((*checkpoint)->certificates);
    for (const CheckpointSegment& segment : (*checkpoint)->segments) {
        // The graph has moved on since.
        if (segment.last <= floor) continue;
        auto plain = files.get(segment.file, segment.plain_bytes);
        if (!plain) return Unexpected{plain.error()};
        const bool follows = certificates.empty() || certificates.back()->header.round <= segment.first;
        if (!follows || !read_segment(*plain, committee_.epoch(), floor, certificates))
            return fail(StoreError::damaged, fmt::format("{} holds something else", segment.file.name()));
        tell();
    }
    return {};
}

/// The checkpoint is of this history, and its consensus state is what its digest says.
Result<void> GraphLoader::verify_state(const LocalCheckpoint& checkpoint) const {
    auto stored = tables_.checkpoints.state(transaction_, checkpoint.last.index);
    if (!stored) return Unexpected{stored.error()};
    if (!*stored) return fail(StoreError::missing, "its consensus state is gone");
    const CheckpointFiles files(options_.checkpoints);
    auto plain = files.get((*stored)->file, (*stored)->plain_bytes);
    if (!plain) return Unexpected{plain.error()};
    const auto state = decode_consensus_state(*plain);
    if (!state || state->last != checkpoint.last ||
        consensus_state_digest(committee_, *state) != (*stored)->digest) {
        return fail(StoreError::damaged, "its consensus state is another");
    }
    if (checkpoint.last.index > recovered_->progress.last_commit)
        return fail(StoreError::damaged, "it is newer than the commits");
    auto commit = tables_.commits.find(transaction_, committee_, checkpoint.last.index);
    if (!commit) return Unexpected{commit.error()};
    if (*commit && (**commit)->digest != checkpoint.last.digest)
        return fail(StoreError::damaged, "it is of another history");
    return {};
}

/// What came after the checkpoint was made, late certificates of its own rounds among it.
Result<void> GraphLoader::add_missing() {
    auto& certificates = recovered_->state.certificates;
    const dag::Round floor = recovered_->progress.graph_floor;
    std::vector<dag::AuthorSet> known;
    for (const auto& certificate : certificates) {
        const std::uint64_t row = dag::distance(floor, certificate->header.round);
        if (row >= known.size()) known.resize(row + 1);
        known[row].insert(certificate->header.author);
    }
    const auto middle = static_cast<std::ptrdiff_t>(certificates.size());
    for (std::size_t author = 0; author < committee_.size(); ++author) {
        auto added = add_missing_of(dag::ValidatorIndex{static_cast<std::uint16_t>(author)}, known);
        if (!added) return added;
    }
    std::ranges::sort(certificates.begin() + middle, certificates.end(), {}, slot_of);
    std::ranges::inplace_merge(certificates, certificates.begin() + middle, {}, slot_of);
    return {};
}

/// By the index of authors, whose rows are short: what is known already is not touched.
Result<void> GraphLoader::add_missing_of(dag::ValidatorIndex author,
                                         const std::vector<dag::AuthorSet>& known) {
    auto cursor = tables_.certificates.by_author(transaction_);
    if (!cursor) return Unexpected{cursor.error()};
    const dag::Round floor = recovered_->progress.graph_floor;
    auto row = cursor->at_or_after(author_round_key(committee_.epoch(), {next(floor), author}));
    for (; row && *row; row = cursor->next()) {
        const auto at = read_author_round_key((*row)->key);
        if (!at || at->epoch != committee_.epoch() || at->slot.author != author) return {};
        const std::uint64_t position = dag::distance(floor, at->slot.round);
        if (position < known.size() && known[position].contains(author)) continue;
        auto certificate = tables_.certificates.find(transaction_, committee_, at->slot);
        if (!certificate) {
            take_row(at->slot, Unexpected{certificate.error()});
        } else if (*certificate) {
            take_row(at->slot, std::move(**certificate));
        }
        if (recovered_->state.certificates.size() % kToldEvery == 0) tell();
    }
    if (!row) return Unexpected{row.error()};
    return {};
}

}  // namespace monodon::storage
