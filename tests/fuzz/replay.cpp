#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include "tests/fuzz/target.hpp"

// The same targets without a fuzzer, with any compiler: runs what is in the corpus, and makes its seeds.

namespace {

using namespace monodon;
using namespace monodon::fuzz;
namespace fs = std::filesystem;

constexpr std::string_view kUsage =
    "usage: fuzz_replay run CORPUS      every file of every target; fails if a seed is missing or stale\n"
    "       fuzz_replay try TARGET FILE...\n"
    "       fuzz_replay seeds CORPUS    writes the seeds anew\n"
    "       fuzz_replay list            name, longest input and property of each target\n"
    "       fuzz_replay words TARGET    its dictionary, as libFuzzer reads it\n";
constexpr std::string_view kSeed = "seed-";

Bytes read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<fs::path> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    if (fs::is_directory(folder)) {
        for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

void try_file(const Target& target, const fs::path& file) {
    // Said before, so that the last line names what ended the program.
    std::cout << target.name << ' ' << file.filename().string() << std::endl;
    target.run(read(file));
}

/// What the corpus of a target lacks of the seeds that its code makes, or has beyond them.
bool seeds_are_fresh(const Target& target, const fs::path& folder) {
    std::set<std::string> wanted;
    bool fresh = true;
    for (const Seed& seed : target.seeds()) {
        const fs::path file = folder / (std::string(kSeed) + seed.name);
        wanted.insert(file.filename().string());
        if (seed.bytes.size() > target.longest || read(file) != seed.bytes) {
            std::cout << file.string() << " is not what the target makes of it" << std::endl;
            fresh = false;
        }
    }
    for (const fs::path& file : files_of(folder)) {
        const std::string name = file.filename().string();
        if (!name.starts_with(kSeed) || wanted.contains(name)) continue;
        std::cout << file.string() << " is a seed that the target does not make" << std::endl;
        fresh = false;
    }
    return fresh && !wanted.empty();
}

int run(const fs::path& corpus) {
    bool good = true;
    std::size_t inputs = 0;
    for (const Target& target : targets()) {
        const fs::path folder = corpus / target.name;
        good = seeds_are_fresh(target, folder) && good;
        for (const fs::path& file : files_of(folder)) {
            try_file(target, file);
            ++inputs;
        }
    }
    std::cout << inputs << " inputs of " << targets().size() << " targets"
              << (good ? "" : "; the seeds are stale: fuzz_replay seeds tests/fuzz/corpus") << std::endl;
    return good && inputs > 0 ? 0 : 1;
}

int write_seeds(const fs::path& corpus) {
    for (const Target& target : targets()) {
        const fs::path folder = corpus / target.name;
        fs::create_directories(folder);
        for (const fs::path& file : files_of(folder)) {
            if (file.filename().string().starts_with(kSeed)) fs::remove(file);
        }
        for (const Seed& seed : target.seeds()) {
            std::ofstream out(folder / (std::string(kSeed) + seed.name), std::ios::binary);
            out.write(reinterpret_cast<const char*>(seed.bytes.data()),
                      static_cast<std::streamsize>(seed.bytes.size()));
            if (!out.flush()) return 1;
        }
    }
    return 0;
}

int list() {
    for (const Target& target : targets())
        std::cout << target.name << '\t' << target.longest << '\t' << target.holds << '\n';
    return 0;
}

int words(const Target& target) {
    if (target.words == nullptr) return 0;
    for (const std::string& word : target.words()) {
        std::cout << '"';
        for (const char letter : word) {
            const bool plain = letter >= ' ' && letter <= '~' && letter != '"' && letter != '\\';
            if (plain) {
                std::cout << letter;
            } else {
                const auto byte = static_cast<Byte>(letter);
                std::cout << "\\x" << to_hex(ByteView(&byte, 1));
            }
        }
        std::cout << "\"\n";
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    const std::vector<std::string_view> given(arguments + 1, arguments + count);
    const std::string_view command = given.empty() ? "" : given[0];
    if (command == "run" && given.size() == 2) return run(given[1]);
    if (command == "seeds" && given.size() == 2) return write_seeds(given[1]);
    if (command == "list" && given.size() == 1) return list();
    const Target* target = given.size() >= 2 ? find_target(given[1]) : nullptr;
    if (target != nullptr && command == "words") return words(*target);
    if (target != nullptr && command == "try") {
        for (std::size_t at = 2; at < given.size(); ++at) try_file(*target, given[at]);
        return 0;
    }
    std::cerr << kUsage;
    return 2;
}
