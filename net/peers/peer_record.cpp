#include "net/peers/peer_record.hpp"

#include <algorithm>

#include "net/core/canonical.hpp"
#include "net/core/check.hpp"

namespace monodon::net {

namespace {

constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kFixedBytes = 32 + 8 + 32 + 1 + 4 + 8 + 8 + kSignatureBytes;
static_assert(kFixedBytes + kRecordAddressesMax * (4 + kPeerAddressMax) <= kRecordBytesMax);
/// Microseconds since 1970 that a Time holds with room to add to it.
constexpr std::uint64_t kTimeMax = 1ULL << 62U;

std::uint64_t count_of(Time time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }
Time time_of(std::uint64_t count) { return Time{Duration{static_cast<Duration::rep>(count)}}; }

/// What is signed: the body under a tag that no other signature has.
Bytes statement(ByteView body) { return CanonicalWriter("peer-record").fixed(body).take(); }

bool repeats(const std::vector<PeerAddress>& addresses, const PeerAddress& address) {
    return std::any_of(addresses.begin(), addresses.end(),
                       [&](const PeerAddress& each) { return each.text == address.text; });
}

}  // namespace

std::string_view describe(RecordError error) {
    switch (error) {
        case RecordError::too_long:
            return "longer than a peer record may be";
        case RecordError::malformed:
            return "malformed";
        case RecordError::implausible_address:
            return "an address at which no peer can be";
        case RecordError::another_chain:
            return "of another chain";
        case RecordError::from_the_future:
            return "issued in the future";
        case RecordError::expired:
            return "expired";
        case RecordError::long_lived:
            return "valid for longer than a record may be";
        case RecordError::bad_signature:
            return "not signed by its subject";
    }
    return "unknown";
}

PeerRecord PeerRecord::sign(const Signer& signer, const Digest& genesis, Role role, std::uint64_t sequence,
                            const std::vector<std::string>& addresses, Time issued) {
    MONODON_CHECK(!addresses.empty() && addresses.size() <= kRecordAddressesMax && role != Role::client);
    PeerRecord record;
    record.peer_ = PeerId(signer.public_key());
    record.sequence_ = sequence;
    record.role_ = role;
    record.issued_ = issued;
    record.expires_ = issued + kRecordLifeMax;
    CanonicalWriter writer;
    writer.fixed(signer.public_key().bytes).u64(sequence).digest(genesis).u8(static_cast<std::uint8_t>(role));
    writer.count(addresses.size());
    for (const std::string& text : addresses) {
        const auto address = PeerAddress::parse(text);
        MONODON_CHECK(address && !repeats(record.addresses_, *address));
        record.addresses_.push_back(*address);
        writer.text(text);
    }
    writer.u64(count_of(record.issued_)).u64(count_of(record.expires_));
    const Signature signature = signer.sign(statement(writer.view()));
    record.bytes_ = writer.fixed(signature.bytes).take();
    return record;
}

Expected<PeerRecord, RecordError> PeerRecord::read(ByteView bytes, const Digest& genesis, Time now,
                                                   RecordAge age) {
    if (bytes.size() > kRecordBytesMax) return Unexpected{RecordError::too_long};
    PeerRecord record;
    CanonicalReader reader(bytes);
    const auto key = PublicKey::from(reader.fixed(sizeof(PublicKey::bytes)));
    record.sequence_ = reader.u64();
    const Digest chain = reader.digest();
    const std::uint8_t role = reader.u8();
    std::vector<std::string_view> addresses;
    for (std::uint32_t left = reader.count(kRecordAddressesMax, 4); left > 0; --left)
        addresses.push_back(as_text(reader.bytes(kPeerAddressMax)));
    const std::uint64_t issued = reader.u64();
    const std::uint64_t expires = reader.u64();
    Signature signature;
    const ByteView signed_part = bytes.first(bytes.size() - std::min(bytes.size(), reader.remaining()));
    const ByteView raw = reader.fixed(kSignatureBytes);
    std::copy(raw.begin(), raw.end(), signature.bytes.begin());
    if (!reader.finished() || !key || addresses.empty() || issued > kTimeMax || expires > kTimeMax ||
        expires <= issued || role >= static_cast<std::uint8_t>(Role::client)) {
        return Unexpected{RecordError::malformed};
    }
    record.role_ = static_cast<Role>(role);
    record.issued_ = time_of(issued);
    record.expires_ = time_of(expires);
    if (chain != genesis) return Unexpected{RecordError::another_chain};
    if (record.issued_ > now + kRecordAheadMax) return Unexpected{RecordError::from_the_future};
    if (record.expires_ - record.issued_ > kRecordLifeMax) return Unexpected{RecordError::long_lived};
    if (age == RecordAge::valid && record.expires_ <= now) return Unexpected{RecordError::expired};
    for (const std::string_view text : addresses) {
        const auto address = PeerAddress::parse(text);
        if (!address || repeats(record.addresses_, *address))
            return Unexpected{RecordError::implausible_address};
        record.addresses_.push_back(*address);
    }
    if (!key->is_valid() || !Ed25519Verifier().verify(*key, statement(signed_part), signature))
        return Unexpected{RecordError::bad_signature};
    record.peer_ = PeerId(*key);
    record.bytes_.assign(bytes.begin(), bytes.end());
    return record;
}

}  // namespace monodon::net
