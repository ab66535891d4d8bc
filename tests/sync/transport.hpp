#pragma once

#include <map>
#include <memory>

#include "dag/sync/reply.hpp"
#include "dag/sync/responder.hpp"
#include "dag/sync/session.hpp"
#include "tests/dag/dag_builder.hpp"

namespace monodon::dag::test {

/// A member's store in memory.
class MemorySource final : public SyncSource {
 public:
    explicit MemorySource(const Committee& committee) : committee_(committee) {}

    void add(const VerifiedCertificate& certificate);
    void add_all(const DagBuilder& dag);
    void add_batch(const Digest& digest, SharedBytes bytes) { batches_.emplace(digest, std::move(bytes)); }
    /// Rounds below this one are gone.
    void prune(Round lowest);

    [[nodiscard]] Held held() const override;
    [[nodiscard]] AuthorSet everybody() const override { return committee_.everybody(); }
    [[nodiscard]] std::optional<VerifiedCertificate> certificate(const Digest& header) const override;
    [[nodiscard]] Page certificates(Slot first, Round last, std::size_t most,
                                    std::size_t bytes) const override;
    [[nodiscard]] SharedBytes batch(const WantedBatch& wanted) const override;
    [[nodiscard]] std::shared_ptr<const Header> newest_header(ValidatorIndex author) const override;
    /// Certificates that were read.
    [[nodiscard]] std::size_t read() const { return read_; }

 private:
    const Committee& committee_;
    std::map<Slot, VerifiedCertificate> by_slot_;
    std::map<Digest, SharedBytes> batches_;
    Round lowest_{1};
    mutable std::size_t read_ = 0;
};

/// How member A reaches the others.
class Transport {
 public:
    virtual ~Transport() = default;
    virtual SyncResponse ask(ValidatorIndex to, const SyncRequest& request) = 0;
};

/// Calls the responder.
class InProcess final : public Transport {
 public:
    InProcess(const Committee& committee, std::vector<std::shared_ptr<const SyncSource>> sources);
    SyncResponse ask(ValidatorIndex to, const SyncRequest& request) override;

 private:
    std::vector<std::shared_ptr<const SyncSource>> sources_;
};

/// Real connections on loopback, requests and responses as node/sync_codec writes them.
class OverTls final : public Transport {
 public:
    OverTls(const Committee& committee, std::vector<std::shared_ptr<const SyncSource>> sources);
    ~OverTls() override;
    SyncResponse ask(ValidatorIndex to, const SyncRequest& request) override;

 private:
    struct Net;
    std::unique_ptr<Net> net_;
};

/// Takes everything: no signatures in these DAGs, what holds them are tests of Verification.
[[nodiscard]] ReplyChecks trust();
/// As `trust()`, but what nothing names is taken with signatures only, as a member does.
[[nodiscard]] ReplyChecks trust_what_is_named(const Committee& committee);

/// Carries what the session asks for until it is idle; false if it does not get there.
bool drive(SyncSession& session, Transport& transport, const ReplyChecks& checks = trust());

[[nodiscard]] std::shared_ptr<const Certificate> without_signatures(
    const std::shared_ptr<const Certificate>& certificate);

}  // namespace monodon::dag::test
