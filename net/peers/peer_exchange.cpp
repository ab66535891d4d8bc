#include "net/peers/peer_exchange.hpp"

#include "net/peers/address_book.hpp"
#include "net/wire/pack.hpp"

namespace monodon::net {

SharedBytes encode_get_peers() { return PackWriter().array(0).share(); }

bool decode_get_peers(ByteView request) {
    auto reader = PackReader::open(request);
    if (!reader) return false;
    reader->array(0);
    return reader->finished();
}

SharedBytes encode_peers(const std::vector<Bytes>& records) {
    PackWriter writer;
    writer.array(1).array(records.size());
    for (const Bytes& record : records) writer.bin(record);
    return writer.share();
}

std::optional<std::vector<Bytes>> decode_peers(ByteView reply) {
    auto reader = PackReader::open(reply, AddressBook::kSampleMax + 2);
    if (!reader) return std::nullopt;
    reader->array(1);
    std::vector<Bytes> records;
    for (std::uint32_t left = reader->array_between(0, AddressBook::kSampleMax); left > 0; --left) {
        const ByteView record = reader->bin(kRecordBytesMax);
        records.emplace_back(record.begin(), record.end());
    }
    if (!reader->finished()) return std::nullopt;
    return records;
}

}  // namespace monodon::net
