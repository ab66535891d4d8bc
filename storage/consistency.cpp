#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "storage/record.hpp"
#include "storage/recovery.hpp"
#include "storage/tables/consensus_tables.hpp"
#include "storage/two_rounds.hpp"

namespace monodon::storage {

namespace {

/// Enough for a person to see what is wrong; a ruined store must not fill the memory with complaints.
constexpr std::size_t kReportedMax = 100;

template <class... Arguments>
void report(std::vector<std::string>& list, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    if (list.size() < kReportedMax) list.push_back(fmt::format(text, std::forward<Arguments>(arguments)...));
}

std::string name(dag::Slot slot) {
    return fmt::format("round {} author {}", slot.round.value(), slot.author.value());
}

void check_commit_chain(const std::vector<dag::CommitPtr>& commits, Consistency& found) {
    for (std::size_t at = 1; at < commits.size(); ++at) {
        const dag::Commit& before = *commits[at - 1];
        const dag::Commit& commit = *commits[at];
        if (commit.index != next(before.index) || commit.previous != before.digest) {
            report(found.faults, "commit {} does not continue commit {}", commit.index.value(),
                   before.index.value());
        }
        if (commit.anchor.round <= before.anchor.round) {
            report(found.faults, "the anchor of commit {} is not above the one before", commit.index.value());
        }
    }
}

void check_graph(const dag::RecoveredState& state, Consistency& found) {
    TwoRounds rounds;
    dag::Round before;
    for (const auto& certificate : state.certificates) {
        const dag::HeaderRef ref = certificate->ref();
        if (ref.round < before) report(found.faults, "{} comes too late", name(ref.slot()));
        before = ref.round;
        rounds.enter(ref.round);
        if (rounds.present(ref.author) != nullptr)
            report(found.faults, "two certificates for {}", name(ref.slot()));
        rounds.add(ref.author, ref.digest);
        if (ref.round <= state.graph_floor)
            report(found.faults, "{} is not above the graph floor", name(ref.slot()));
        if (ref.round <= next(state.graph_floor)) continue;
        for (const dag::Parent& parent : certificate->header.parents) {
            const Digest* present = rounds.below(parent.author);
            if (present != nullptr && *present == parent.header) continue;
            const dag::Slot slot{below(ref.round, 1), parent.author};
            if (present != nullptr) {
                report(found.faults, "{} names another certificate for {}", name(ref.slot()), name(slot));
            } else {
                report(found.gaps, "{} is missing, a parent of {}", name(slot), name(ref.slot()));
            }
        }
    }
}

void check_votes(const dag::RecoveredState& state, Consistency& found) {
    const auto slot_of = [](const dag::VerifiedCertificate& certificate) {
        return certificate->ref().slot();
    };
    for (const dag::Vote& vote : state.votes) {
        const dag::Slot slot{vote.round, vote.author};
        const auto at = std::ranges::lower_bound(state.certificates, slot, {}, slot_of);
        if (at != state.certificates.end() && slot_of(*at) == slot && (*at)->header.digest != vote.header)
            report(found.faults, "our vote for {} is not for its certificate", name(slot));
    }
}

}  // namespace

Consistency verify_consistency(const dag::RecoveredState& state) {
    Consistency found;
    check_commit_chain(state.commits, found);
    const dag::Round anchor = state.commits.empty() ? dag::Round{} : state.commits.back()->anchor.round;
    if (state.graph_floor > anchor) {
        report(found.faults, "the graph floor {} is above the last anchor {}", state.graph_floor.value(),
               anchor.value());
    }
    check_graph(state, found);
    check_votes(state, found);
    return found;
}

namespace {

/// Walks the tables of a store in one transaction.
class StoreCheck {
 public:
    StoreCheck(const ConsensusTables& tables, const lmdb::Transaction& transaction,
               const dag::Committee& committee)
        : tables_(tables), transaction_(transaction), committee_(committee) {}

    Consistency run() {
        auto progress = tables_.metadata.progress(transaction_);
        if (!progress) {
            report(found_.faults, "{}", progress.error().text);
            return std::move(found_);
        }
        progress_ = *progress;
        check_certificates();
        check_digests();
        check_authors();
        check_references();
        check_commits();
        check_marked();
        if (auto votes = tables_.votes.all(transaction_, committee_.epoch()); !votes) {
            report(found_.faults, "{}", votes.error().text);
        }
        if (auto header = tables_.own_headers.find(transaction_, committee_); !header) {
            report(found_.faults, "{}", header.error().text);
        }
        return std::move(found_);
    }

 private:
    template <class Visit>
    std::uint64_t walk(Result<lmdb::Cursor> cursor, Visit visit) {
        if (!cursor) {
            report(found_.faults, "{}", cursor.error().text);
            return 0;
        }
        std::uint64_t rows = 0;
        auto row = cursor->first();
        for (; row && *row; row = cursor->next(), ++rows) visit(**row);
        if (!row) report(found_.faults, "{}", row.error().text);
        return rows;
    }

    void check_certificates() {
        const auto rows = walk(tables_.certificates.by_slot(transaction_), [this](lmdb::Row row) {
            auto certificate = CertificateTable::read(committee_, row);
            if (!certificate) return report(found_.gaps, "{}", certificate.error().text);
            check_certificate(**certificate);
        });
        if (rows != progress_.certificates) {
            report(found_.faults, "{} certificates are there, {} are counted", rows, progress_.certificates);
        }
    }

    void check_certificate(const dag::Certificate& certificate) {
        const dag::HeaderRef ref = certificate.ref();
        const EpochSlot at{certificate.header.epoch, ref.slot()};
        const auto by_digest = tables_.certificates.slot_of(transaction_, ref.digest);
        if (!by_digest || !*by_digest || (*by_digest)->slot != ref.slot()) {
            report(found_.indices, "{} is not found by its digest", name(ref.slot()));
        }
        const auto by_author = tables_.certificates.author_row_exists(transaction_, at);
        if (!by_author || !*by_author)
            report(found_.indices, "{} is not found by its author", name(ref.slot()));
        check_payload(certificate);
        if (ref.round <= next(progress_.store_floor)) return;
        for (const dag::Parent& parent : certificate.header.parents) {
            const dag::Slot slot{below(ref.round, 1), parent.author};
            const auto present = tables_.certificates.digest_at(transaction_, {at.epoch, slot});
            if (!present || !*present) {
                report(found_.gaps, "{} is missing, a parent of {}", name(slot), name(ref.slot()));
            } else if (**present != parent.header) {
                report(found_.faults, "{} names another certificate for {}", name(ref.slot()), name(slot));
            }
        }
    }

    void check_digests() {
        walk(tables_.certificates.by_digest(transaction_), [this](lmdb::Row row) {
            const auto payload = open_record(row.key, row.value);
            const auto slot = payload ? read_slot_key(*payload) : std::nullopt;
            if (!slot) return report(found_.indices, "the digest {} is damaged", to_hex(row.key));
            const auto present = tables_.certificates.digest_at(transaction_, *slot);
            // A damaged certificate was reported where it lies.
            if (present && (!*present || !std::ranges::equal((**present).bytes, row.key))) {
                report(found_.indices, "the digest {} leads to no certificate", to_hex(row.key));
            }
        });
    }

    void check_authors() {
        walk(tables_.certificates.by_author(transaction_), [this](lmdb::Row row) {
            const auto at = read_author_round_key(row.key);
            if (!at || !open_record(row.key, row.value)) {
                return report(found_.indices, "the author row {} is damaged", to_hex(row.key));
            }
            const auto present = tables_.certificates.digest_at(transaction_, *at);
            if (present && !*present) report(found_.indices, "{} is listed and not there", name(at->slot));
        });
    }

    void check_payload(const dag::Certificate& certificate) {
        const EpochSlot at{certificate.header.epoch, certificate.ref().slot()};
        for (const dag::PayloadEntry& entry : certificate.header.payload) {
            const auto listed = tables_.references.contains(transaction_, entry.batch, at);
            if (!listed || !*listed)
                report(found_.indices, "{} is not found by its batch {}", name(at.slot),
                       entry.batch.short_hex());
        }
    }

    void check_references() {
        walk(tables_.references.rows(transaction_), [this](lmdb::Row row) {
            const auto reference = read_reference_key(row.key);
            if (!reference || !open_record(row.key, row.value))
                return report(found_.indices, "the batch reference {} is damaged", to_hex(row.key));
            const auto present = tables_.certificates.digest_at(transaction_, reference->at);
            if (present && !*present)
                report(found_.indices, "{} is named by a batch and not there", name(reference->at.slot));
        });
    }

    void check_commits() {
        dag::CommitPtr before;
        const auto rows = walk(tables_.commits.by_index(transaction_), [&](lmdb::Row row) {
            auto commit = CommitTable::read(committee_, row);
            if (!commit) return report(found_.faults, "{}", commit.error().text);
            if (before) check_commit_chain({before, *commit}, found_);
            before = *commit;
            check_marks(**commit);
        });
        if (rows != progress_.commits) {
            report(found_.faults, "{} commits are there, {} are counted", rows, progress_.commits);
        }
        const dag::CommitClaim last = before ? before->claim() : dag::CommitClaim{};
        if (last.index != progress_.last_commit || last.digest != progress_.last_commit_digest) {
            report(found_.faults, "the commits end with {}, not with {}", last.index.value(),
                   progress_.last_commit.value());
        }
    }

    void check_marks(const dag::Commit& commit) {
        for (const dag::HeaderRef& ref : commit.certificates) {
            const auto mark = tables_.commits.mark(transaction_, ref.digest);
            const bool marked = mark && *mark == commit.index;
            marked_ += marked && commit.index > progress_.commit_floor ? 1 : 0;
            // Its mark has left with it.
            if (ref.round <= progress_.store_floor) continue;
            if (!marked) {
                report(found_.indices, "{} is not marked with commit {}", name(ref.slot()),
                       commit.index.value());
            }
        }
    }

    /// A certificate is in one commit: what is marked and was not met in a commit is in none.
    void check_marked() {
        std::uint64_t rows = 0;
        walk(tables_.commits.marks(transaction_), [&](lmdb::Row row) {
            const auto payload = open_record(row.key, row.value);
            const auto index = payload ? read_index_key(*payload) : std::nullopt;
            // A row that is damaged is reported with its table; commits at the floor have left or are
            // leaving.
            rows += index && *index > progress_.commit_floor ? 1 : 0;
        });
        if (rows != marked_) {
            report(found_.indices, "{} certificates are marked as committed, the commits name {} of them",
                   rows, marked_);
        }
    }

    const ConsensusTables& tables_;
    const lmdb::Transaction& transaction_;
    const dag::Committee& committee_;
    Progress progress_;
    Consistency found_;
    /// Certificates that are marked with the commit that names them.
    std::uint64_t marked_ = 0;
};

}  // namespace

Consistency verify_store(const ConsensusStore& store, const dag::Committee& committee) {
    return verify_store(store.environment(), store.tables(), committee);
}

Consistency verify_store(const lmdb::Environment& environment, const ConsensusTables& tables,
                         const dag::Committee& committee) {
    auto transaction = environment.read();
    if (transaction) return StoreCheck(tables, *transaction, committee).run();
    Consistency unread;
    unread.faults.push_back(transaction.error().text);
    return unread;
}

}  // namespace monodon::storage
