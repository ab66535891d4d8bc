#pragma once

#include "dag/sync/responder.hpp"
#include "net/rpc/replier.hpp"
#include "net/wire/method.hpp"
#include "storage/store_reader.hpp"

namespace monodon::node {

/// Answers what members ask of the history (dag/sync/responder), from the store: what we have sent or voted
/// on is durable, so nobody needs more. Thread-safe; reads the disk: call on the compute pool.
class Responder {
 public:
    /// Keeps references to all three.
    Responder(const storage::StoreReader& reader, const storage::BatchStore& batches,
              const dag::Committee& committee)
        : reader_(reader), batches_(batches), committee_(committee) {}

    /// Who asks; of members also the newest header of theirs that was verified here.
    struct Asker {
        std::optional<dag::ValidatorIndex> member;
        std::optional<dag::VerifiedHeader> newest;
    };
    void answer(net::Method method, const SharedBytes& payload, const Asker& asker,
                const net::Replier& replier) const;

 private:
    const storage::StoreReader& reader_;
    const storage::BatchStore& batches_;
    const dag::Committee& committee_;
};

/// The store as dag/sync/responder reads it. Keeps references to all; `newest` is the newest header of the
/// asker that is known besides.
class StoreSource final : public dag::SyncSource {
 public:
    StoreSource(const storage::StoreReader& reader, const storage::BatchStore& batches,
                const dag::Committee& committee, const std::optional<dag::VerifiedHeader>& newest)
        : reader_(reader), batches_(batches), committee_(committee), newest_(newest) {}

    [[nodiscard]] dag::Held held() const override;
    [[nodiscard]] dag::AuthorSet everybody() const override { return committee_.everybody(); }
    [[nodiscard]] std::optional<dag::VerifiedCertificate> certificate(const Digest& header) const override;
    [[nodiscard]] Page certificates(dag::Slot first, dag::Round last, std::size_t most,
                                    std::size_t bytes) const override;
    [[nodiscard]] SharedBytes batch(const dag::WantedBatch& wanted) const override;
    [[nodiscard]] std::shared_ptr<const dag::Header> newest_header(dag::ValidatorIndex author) const override;

 private:
    const storage::StoreReader& reader_;
    const storage::BatchStore& batches_;
    const dag::Committee& committee_;
    const std::optional<dag::VerifiedHeader>& newest_;
};

}  // namespace monodon::node
