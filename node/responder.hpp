#pragma once

#include "dag/model/verification.hpp"
#include "net/rpc/replier.hpp"
#include "net/wire/method.hpp"
#include "storage/store_reader.hpp"

namespace monodon::node {

/// Answers what members ask of the history, from the store: what we have sent or voted on is durable, so
/// nobody needs more. Every answer is limited in items and bytes and holds at least one item if there is one.
/// Thread-safe; reads the disk: call on the compute pool.
class Responder {
 public:
    /// Keeps references to all three.
    Responder(const storage::StoreReader& reader, const storage::BatchStore& batches)
        : reader_(reader), batches_(batches) {}

    /// Who asks; of members also the newest header of theirs that was verified here.
    struct Asker {
        std::optional<dag::ValidatorIndex> member;
        std::optional<dag::VerifiedHeader> newest;
    };
    void answer(net::Method method, const SharedBytes& payload, const Asker& asker,
                const net::Replier& replier) const;

 private:
    void certificates(ByteView payload, const net::Replier& replier) const;
    void certificates_in_range(ByteView payload, const net::Replier& replier) const;
    void batches(ByteView payload, const net::Replier& replier) const;
    void highest_round(ByteView payload, const Asker& asker, const net::Replier& replier) const;

    const storage::StoreReader& reader_;
    const storage::BatchStore& batches_;
};

}  // namespace monodon::node
