#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "storage/keys.hpp"
#include "storage/lmdb/environment.hpp"
#include "storage/record.hpp"
#include "storage/tables/batches.hpp"
#include "storage/tables/certificates.hpp"
#include "storage/tables/metadata.hpp"

// damage HOME: in a home in which no node runs, flips a bit of a certificate of one of the newest rounds and
// one in the body of a batch, with all of LMDB's own bytes whole, as a disk does that forgets a sector. One
// line: round and author of the certificate, digest of the batch.
// damage HOME SCHEMA: has the store say that it is of another schema.
namespace monodon {

namespace {

using storage::lmdb::Environment;

/// Flips a bit in the middle of the value that comes `behind` the last, but never before the first. Gives its
/// key; empty if it cannot.
Bytes flip(const std::filesystem::path& directory, const char* name, std::size_t behind) {
    auto environment = Environment::open({.directory = directory});
    if (!environment) return {};
    const auto tables = (*environment)->tables({name});
    if (!tables) return {};
    auto transaction = (*environment)->write();
    if (!transaction) return {};
    std::vector<Bytes> keys;
    {
        auto cursor = transaction->cursor(tables->front());
        if (!cursor) return {};
        for (auto row = cursor->first(); row && *row; row = cursor->next())
            keys.emplace_back((*row)->key.begin(), (*row)->key.end());
    }
    if (keys.empty()) return {};
    const Bytes key = keys[keys.size() - 1 - std::min(behind, keys.size() - 1)];
    const auto before = transaction->get(tables->front(), key);
    if (!before || !*before) return {};
    Bytes value((*before)->begin(), (*before)->end());
    value[value.size() / 2] ^= Byte{4};
    if (!transaction->put(tables->front(), key, value)) return {};
    if (!std::move(*transaction).commit()) return {};
    return key;
}

int set_schema(const std::filesystem::path& home, std::uint32_t schema) {
    auto environment = Environment::open({.directory = home / "consensus"});
    if (!environment) return 1;
    const auto tables = (*environment)->tables({storage::MetadataTable::kName});
    if (!tables) return 1;
    const storage::MetadataTable metadata(tables->front());
    auto transaction = (*environment)->write();
    if (!transaction) return 1;
    auto identity = metadata.identity(*transaction);
    if (!identity || !*identity) return 1;
    (*identity)->schema = schema;
    if (!metadata.put(*transaction, **identity)) return 1;
    return std::move(*transaction).commit() ? 0 : 1;
}

int run(const std::filesystem::path& home) {
    const Bytes certificate = flip(home / "consensus", storage::CertificateTable::kName, 12);
    const Bytes batch = flip(home / "batches" / "g0", storage::BatchTable::kName, 0);
    const auto at = storage::read_slot_key(certificate);
    if (!at || batch.empty()) return 1;
    fmt::print("{} {} {}\n", at->slot.round.value(), at->slot.author.value(), to_hex(batch));
    return 0;
}

}  // namespace

}  // namespace monodon

int main(int argc, char** argv) {
    if (argc == 3) return monodon::set_schema(argv[1], static_cast<std::uint32_t>(std::atoi(argv[2])));
    return argc == 2 ? monodon::run(argv[1]) : 2;
}
