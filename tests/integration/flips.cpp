#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>

#include <fmt/format.h>

#include "node/genesis.hpp"
#include "node/home.hpp"
#include "storage/lmdb/pages.hpp"
#include "tools/db.hpp"

// flips HOME COUNT SEED: flips one bit after the other in a stopped home, in random places of each kind of
// file that a node keeps there, lets `db check` look, and puts the bit back. A flip must be found, or the
// reader of pages must show that nothing depends on the byte. One line per kind of file; 1 if one was missed.
namespace monodon {

namespace {

using std::filesystem::path;

struct File {
    path where;
    std::string kind;
};

/// Empty for what is not a store: logs, marks, locks, and the configuration, in which every value is right.
std::string kind_of(const path& file) {
    const std::string name = file.filename();
    const std::string parent = file.parent_path().filename();
    if (name == "data.mdb") return parent.starts_with('g') ? "batches" : parent;
    if (parent == "checkpoints") return parent;
    return name == "key" || name == "genesis.json" ? name : "";
}

std::vector<File> files_of(const path& home) {
    std::map<path, File> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(home)) {
        if (!entry.is_regular_file()) continue;
        if (std::string kind = kind_of(entry.path()); !kind.empty()) {
            found[entry.path()] = {entry.path(), std::move(kind)};
        }
    }
    std::vector<File> files;
    for (auto& [where, file] : found) files.push_back(std::move(file));
    return files;
}

void flip(const path& where, std::uint64_t at, unsigned bit) {
    std::fstream file(where, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ (1 << bit)));
    if (!file) std::abort();
}

bool is_data(const File& file) { return file.where.filename() == "data.mdb"; }

/// Of a data file three of four in pages that were ever used: most of it is room that was reserved.
std::uint64_t place_in(const File& file, std::mt19937_64& random) {
    std::uint64_t bytes = std::filesystem::file_size(file.where);
    if (is_data(file) && random() % 4 != 0) {
        const auto walk = storage::lmdb::walk_pages(file.where);
        if (walk) bytes = std::min(bytes, walk->pages * walk->page_bytes);
    }
    return random() % bytes;
}

/// What depends on the byte, before it is touched; nothing if it is free.
std::optional<std::string> live(const File& file, std::uint64_t at) {
    if (!is_data(file)) return file.kind;
    storage::lmdb::PageWalkOptions options;
    options.watch = at;
    const auto walk = storage::lmdb::walk_pages(file.where, options);
    return walk ? walk->watched : file.kind;
}

/// What a node takes from a file that is text: the same after a flip in a name, an address or the case of a
/// digit. Nothing if it cannot be read.
std::string meaning(const File& file) {
    if (file.kind == "key") {
        const auto key = node::load_key(file.where);
        return key ? key->peer_id().text() : "";
    }
    const auto genesis = node::Genesis::load(file.where);
    return genesis ? genesis->digest().hex() : "";
}

bool is_text(const File& file) { return file.kind == "key" || file.kind == "genesis.json"; }

/// A free page that is forgotten is lost and harms nobody.
bool counts_as_note(std::string_view depends) {
    return depends == storage::lmdb::kFreeListName || depends == storage::lmdb::kNewestMetaName;
}

bool check_finds(const path& home, bool notes_count) {
    const auto report = tools::look_at_home({home.string(), {}, {}, tools::Form::json}, {});
    return !report || !report->healthy() || (notes_count && report->notes > 0);
}

struct Tally {
    int found = 0;
    int free = 0;
    int missed = 0;
};

int run(const path& home, int count, std::uint64_t seed) {
    if (check_finds(home, true)) {
        std::puts("this home is not whole to begin with");
        return 1;
    }
    std::map<std::string, std::vector<File>> kinds;
    for (const File& file : files_of(home)) kinds[file.kind].push_back(file);
    std::mt19937_64 random(seed);
    std::map<std::string, Tally> tallies;
    for (int at = 0; at < count; ++at) {
        // Each kind of file alike: nearly all bytes are batches.
        const auto& kind = std::next(kinds.begin(), static_cast<long>(random() % kinds.size()))->second;
        const File& file = kind[random() % kind.size()];
        const std::uint64_t offset = place_in(file, random);
        const unsigned bit = random() % 8;
        const auto depends = live(file, offset);
        bool counts = depends.has_value();
        const std::string before = is_text(file) ? meaning(file) : "";
        flip(file.where, offset, bit);
        const bool found = check_finds(home, counts_as_note(depends.value_or("")));
        if (is_text(file)) counts = meaning(file) != before;
        flip(file.where, offset, bit);
        Tally& tally = tallies[file.kind];
        ++(found ? tally.found : counts ? tally.missed : tally.free);
        if (counts && !found) fmt::print("MISSED {} byte {} bit {}\n", file.where.string(), offset, bit);
    }
    int missed = 0;
    for (const auto& [kind, tally] : tallies) {
        fmt::print("{:<14} {:>4} found {:>4} where nothing depends on it {:>4} missed\n", kind, tally.found,
                   tally.free, tally.missed);
        missed += tally.missed;
    }
    return missed == 0 && tallies.size() == kinds.size() ? 0 : 1;
}

}  // namespace

}  // namespace monodon

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    return monodon::run(argv[1], std::atoi(argv[2]), std::strtoull(argv[3], nullptr, 10));
}
