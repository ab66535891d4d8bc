#pragma once

#include <memory>

#include "dag/model/header.hpp"

namespace monodon::dag {

/// A T that has passed every stateless rule of consensus.md 4.1 and chapter 2, signatures included. Only
/// Verification makes one; copies share the object.
template <class T>
class Verified {
 public:
    [[nodiscard]] const T& operator*() const { return *object_; }
    [[nodiscard]] const T* operator->() const { return object_.get(); }
    [[nodiscard]] const std::shared_ptr<const T>& shared() const { return object_; }

 private:
    friend class Verification;
    explicit Verified(T object) : object_(std::make_shared<const T>(std::move(object))) {}
    std::shared_ptr<const T> object_;
};

using VerifiedHeader = Verified<Header>;
using VerifiedVote = Verified<Vote>;
using VerifiedCertificate = Verified<Certificate>;

/// The stateless rules. Thread-safe; keeps references to both arguments.
class Verification {
 public:
    Verification(const Committee& committee, const SignatureVerifier& signatures)
        : committee_(committee), signatures_(signatures) {}

    /// H1 to H7.
    [[nodiscard]] Expected<VerifiedHeader, ObjectError> header(Header header) const;
    [[nodiscard]] Expected<VerifiedVote, ObjectError> vote(Vote vote) const;
    /// The header's rules and a quorum of distinct signers whose signatures verify. The author's own
    /// signature on the header is not needed: a quorum saw it.
    [[nodiscard]] Expected<VerifiedCertificate, ObjectError> certificate(Certificate certificate) const;
    /// For one whose digest a certificate of a quorum names, which nobody checks here: the header's rules.
    /// The digest covers no signature, so that those that came along are dropped.
    [[nodiscard]] Expected<VerifiedCertificate, ObjectError> ancestor(Certificate certificate) const;

    /// What needs no check: it was made by this process, or was verified before it was stored, or is a
    /// stand-in in a replay.
    template <class T>
    [[nodiscard]] static Verified<T> trusted(T object) {
        return Verified<T>(std::move(object));
    }

 private:
    [[nodiscard]] Expected<void, ObjectError> check_header(const Header& header) const;

    const Committee& committee_;
    const SignatureVerifier& signatures_;
};

}  // namespace monodon::dag
