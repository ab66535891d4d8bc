#include "dag/sync/unsynced.hpp"

#include "net/core/check.hpp"

namespace monodon::dag {

namespace {

/// Key, checksum and place in the tree of a row.
constexpr std::size_t kRow = 64;

std::size_t header_bytes(const Header& header) {
    return sizeof(Header) + header.payload.size() * sizeof(PayloadEntry) +
           header.parents.size() * sizeof(Parent);
}

struct Size {
    std::size_t operator()(const CertificateRecord& record) const {
        const Certificate& certificate = *record.certificate;
        return header_bytes(certificate.header) + certificate.signatures.size() * sizeof(Signature) +
               3 * kRow;
    }
    std::size_t operator()(const VoteRecord&) const { return sizeof(Vote) + kRow; }
    std::size_t operator()(const OwnHeaderRecord& record) const {
        return header_bytes(*record.header) + kRow;
    }
    std::size_t operator()(const CommitRecord& record) const {
        const Commit& commit = *record.commit;
        return sizeof(Commit) + commit.certificates.size() * (sizeof(HeaderRef) + kRow) +
               commit.payload.size() * sizeof(PayloadEntry) + commit.failed.size() * sizeof(Slot) + kRow;
    }
    std::size_t operator()(const GraphFloorRecord&) const { return kRow; }
    std::size_t operator()(const SigningRecord&) const { return kRow; }
};

}  // namespace

std::size_t Unsynced::size_of(const Record& record) { return std::visit(Size{}, record); }

bool Unsynced::wrote(WriteId id, std::size_t bytes, bool notify) {
    written_ += bytes;
    if (!notify && written_ - last_told_ < kUntoldMax) return false;
    last_told_ = written_;
    told_.emplace(id, written_);
    return true;
}

void Unsynced::durable(WriteId id) {
    const auto at = told_.find(id);
    MONODON_CHECK(at != told_.end());
    synced_ = at->second;
    told_.erase(told_.begin(), std::next(at));
}

}  // namespace monodon::dag
