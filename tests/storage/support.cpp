#include "tests/storage/support.hpp"

#include <csignal>
#include <cstdlib>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace monodon::storage::test {

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "monodon-storage-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

const dag::Committee& four_members() {
    static const dag::Committee committee = [] {
        std::vector<dag::Member> members(4);
        for (std::size_t at = 0; at < members.size(); ++at) {
            members[at].key.bytes[0] = static_cast<Byte>(at + 1);
            members[at].stake = 1;
        }
        return dag::Committee::make("storage-test", dag::Epoch{0}, members, false).value();
    }();
    return committee;
}

namespace {

class StubSigner final : public Signer {
 public:
    [[nodiscard]] Signature sign(ByteView message) const override {
        Signature signature;
        const Digest digest = sha256(message);
        std::copy(digest.bytes.begin(), digest.bytes.end(), signature.bytes.begin());
        return signature;
    }
    [[nodiscard]] const PublicKey& public_key() const override { return key_; }

 private:
    PublicKey key_;
};

const StubSigner& signer() {
    static const StubSigner signer;
    return signer;
}

}  // namespace

dag::Vote vote_for(const dag::HeaderRef& header) {
    return dag::sign_vote(four_members(), signer(), dag::ValidatorIndex{0}, header);
}

dag::VerifiedCertificate certificate(dag::Slot slot, const std::vector<dag::Parent>& parents,
                                     std::uint64_t salt, const std::vector<dag::PayloadEntry>& payload) {
    dag::Certificate made;
    made.header.epoch = four_members().epoch();
    made.header.round = slot.round;
    made.header.author = slot.author;
    made.header.created_at = salt;
    made.header.parents = parents;
    made.header.payload = payload;
    dag::sign_header(four_members(), signer(), made.header);
    for (std::uint16_t voter = 0; voter < 3; ++voter) {
        made.signers.insert(dag::ValidatorIndex{voter});
        made.signatures.push_back(signer().sign(dag::vote_statement(four_members(), made.header.ref())));
    }
    return dag::Verification::trusted(std::move(made));
}

std::vector<dag::Record> DagMaker::MadeRound::records() const {
    std::vector<dag::Record> records;
    for (const auto& certificate : certificates) records.emplace_back(dag::CertificateRecord{certificate});
    records.emplace_back(dag::CommitRecord{commit});
    return records;
}

DagMaker::MadeRound DagMaker::add_round(std::uint64_t salt) {
    round_ = next(round_);
    std::vector<dag::Parent> parents;
    for (const dag::HeaderRef& ref : last_) parents.push_back({ref.author, ref.digest});
    MadeRound made;
    last_.clear();
    for (std::uint16_t author = 0; author < 4; ++author) {
        made.certificates.push_back(certificate({round_, dag::ValidatorIndex{author}}, parents, salt));
        last_.push_back(made.certificates.back()->ref());
    }
    dag::Commit commit;
    commit.index = next(head_.index);
    commit.previous = head_.digest;
    commit.anchor = last_[round_.value() % 4];
    commit.certificates = std::exchange(unordered_, {});
    commit.certificates.push_back(commit.anchor);
    commit.voters = four_members().everybody();
    commit.transactions = 10;
    commit.digest = dag::commit_digest(four_members(), commit);
    head_ = commit.claim();
    for (const dag::HeaderRef& ref : last_) {
        if (ref != commit.anchor) unordered_.push_back(ref);
    }
    made.commit = std::make_shared<const dag::Commit>(std::move(commit));
    return made;
}

void DagMaker::resume(const dag::RecoveredState& state) {
    last_.clear();
    unordered_.clear();
    if (state.commits.empty()) return;
    const dag::Commit& newest = *state.commits.back();
    head_ = newest.claim();
    round_ = newest.anchor.round;
    for (const auto& certificate : state.certificates) {
        if (certificate->header.round != round_) continue;
        last_.push_back(certificate->ref());
        if (certificate->ref() != newest.anchor) unordered_.push_back(certificate->ref());
    }
}

SealedBatch batch(dag::ValidatorIndex author, std::uint64_t sequence, dag::Round sealed, std::size_t bytes) {
    dag::BatchBuilder builder;
    REQUIRE(builder.add(Bytes(bytes, static_cast<Byte>(sequence))));
    auto made =
        builder.seal(four_members(), {four_members().epoch(), author, dag::WorkerId{0}, sequence, sealed, 0});
    return {made.entry, std::move(made.bytes)};
}

ConsensusOptions consensus_options(const std::filesystem::path& directory) {
    ConsensusOptions options;
    options.environment.directory = directory;
    options.environment.create = true;
    options.environment.preallocate = std::size_t{1} << 20;
    options.retry_after = std::chrono::milliseconds(5);
    options.fatal = [](const std::string&) { std::abort(); };
    return options;
}

BatchOptions batch_options(const std::filesystem::path& directory) {
    BatchOptions options;
    options.environment.directory = directory;
    options.environment.preallocate = std::size_t{1} << 20;
    options.retry_after = std::chrono::milliseconds(5);
    options.fatal = [](const std::string&) { std::abort(); };
    return options;
}

std::unique_ptr<ConsensusStore> open_consensus(const ConsensusOptions& options) {
    auto store = ConsensusStore::open(options, four_members());
    if (!store) FAIL(store.error().text);
    return std::move(*store);
}

std::unique_ptr<BatchStore> open_batches(const BatchOptions& options) {
    auto store = BatchStore::open(options);
    if (!store) FAIL(store.error().text);
    return std::move(*store);
}

void flush(ConsensusStore& store) {
    Signal durable;
    store.write({}, [&] { durable.raise(); });
    REQUIRE(durable.wait());
}

void put_durably(BatchStore& store, const SealedBatch& batch, Standing standing) {
    Signal durable;
    REQUIRE(store.put(batch.entry, batch.bytes, standing, [&] { durable.raise(); }));
    REQUIRE(durable.wait());
}

void Signal::raise() {
    const std::lock_guard lock(mutex_);
    ++raised_;
    changed_.notify_all();
}

bool Signal::wait(std::size_t times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return raised_ >= times; });
}

void damage_first_row(const std::filesystem::path& directory, const char* table, std::size_t byte) {
    auto environment = lmdb::Environment::open({.directory = directory});
    REQUIRE(environment);
    const auto tables = (*environment)->tables({table});
    REQUIRE(tables);
    auto transaction = (*environment)->write();
    REQUIRE(transaction);
    Bytes key;
    Bytes value;
    {
        auto cursor = transaction->cursor(tables->front());
        REQUIRE(cursor);
        const auto row = cursor->first();
        REQUIRE(row);
        REQUIRE(row->has_value());
        key.assign((*row)->key.begin(), (*row)->key.end());
        value.assign((*row)->value.begin(), (*row)->value.end());
    }
    REQUIRE(byte < value.size());
    value[byte] ^= 1;
    REQUIRE(transaction->put(tables->front(), key, value));
    REQUIRE(std::move(*transaction).commit());
}

int signal_of(const std::function<void()>& body) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const int nowhere = ::open("/dev/null", O_WRONLY);
        ::dup2(nowhere, STDERR_FILENO);
        // Catch2 would report the abort that the parent waits for.
        std::signal(SIGABRT, SIG_DFL);
        body();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace monodon::storage::test
