#include "storage/home.hpp"

#include <fstream>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;

namespace fs = std::filesystem;

TEST_CASE("a home is private, and in use by one process at a time") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path() / "home";
    REQUIRE(Home::create(path));
    CHECK((fs::status(path).permissions() & fs::perms::mask) == fs::perms::owner_all);
    {
        const auto home = Home::open(path);
        REQUIRE(home);
        const auto again = Home::open(path);
        REQUIRE_FALSE(again);
        CHECK(again.error().exit_code == 73);
        CHECK(again.error().text == "home in use by pid " + std::to_string(::getpid()));

        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            const auto theirs = Home::open(path);
            ::_exit(theirs ? 0 : theirs.error().exit_code);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(WEXITSTATUS(status) == 73);
    }
    CHECK(Home::open(path));
}

TEST_CASE("a home that others can enter, that is no directory or is not there, is refused") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path() / "home";
    const auto refusal = [&] {
        const auto home = Home::open(path);
        REQUIRE_FALSE(home);
        CHECK(home.error().exit_code == 78);
        return home.error().text;
    };
    CHECK_THAT(refusal(), Catch::Contains("No such file"));
    REQUIRE(Home::create(path));
    fs::permissions(path, fs::perms::group_read, fs::perm_options::add);
    CHECK_THAT(refusal(), Catch::Contains("chmod 700"));
    fs::remove_all(path);
    const int file = ::creat(path.c_str(), 0600);
    REQUIRE(file >= 0);
    ::close(file);
    CHECK_THAT(refusal(), Catch::Contains("not a directory"));
}

TEST_CASE("a home on a network file system is refused and named, one on a local disk is not") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path() / "home";
    REQUIRE(Home::create(path));
    // As statfs(2) lists them.
    const std::pair<std::uint32_t, const char*> networks[] = {
        {0x6969, "NFS"},        {0x517B, "SMB"},       {0xFF534D42, "CIFS"}, {0xFE534D42, "SMB2"},
        {0x65735546, "FUSE"},   {0x01021997, "9P"},    {0x5346414F, "AFS"},  {0x00C36400, "Ceph"},
        {0x0BD00BD0, "Lustre"}, {0x7461636F, "OCFS2"}, {0x01161970, "GFS2"}};
    for (const auto& [magic, name] : networks) {
        const auto refused =
            Home::open(path, [&](const fs::path&) { return std::string(network_file_system_name(magic)); });
        REQUIRE_FALSE(refused);
        CHECK(refused.error().exit_code == 78);
        CHECK_THAT(refused.error().text, Catch::Contains(std::string("(") + name + ")"));
        CHECK_THAT(refused.error().text, Catch::Contains("use a local disk"));
        CHECK_FALSE(fs::exists(path / "lock"));
    }
    // ext4, xfs, btrfs, zfs, tmpfs, overlayfs.
    for (const std::uint32_t magic :
         {0xEF53U, 0x58465342U, 0x9123683EU, 0x2FC12FC1U, 0x01021994U, 0x794C7630U})
        CHECK(network_file_system_name(magic).empty());
    CHECK(Home::open(path));
}

TEST_CASE("a home is fresh until its store was made, and making it again does not make it fresh") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path() / "home";
    REQUIRE(Home::create(path));
    {
        auto home = Home::open(path);
        REQUIRE(home);
        CHECK(home->fresh());
        REQUIRE(home->clear_fresh());
        CHECK_FALSE(home->fresh());
        REQUIRE(home->clear_fresh());
    }
    REQUIRE(Home::create(path));
    CHECK_FALSE(Home::open(path)->fresh());
}

TEST_CASE("a home whose making was cut short is made again, and new") {
    const TemporaryDirectory directory;
    const auto home = directory.path() / "home";
    // What a crash leaves before the mark is there, and after.
    for (const bool marked : {false, true}) {
        std::filesystem::create_directory(directory.path() / "home.new");
        if (marked) std::ofstream(directory.path() / "home.new" / Home::kFresh) << "";
        REQUIRE(Home::create(home / ""));
        CHECK(Home::is_fresh(home));
        CHECK_FALSE(std::filesystem::exists(directory.path() / "home.new"));
        std::filesystem::remove_all(home);
    }
}

TEST_CASE("a home whose key was used before is marked, and may make a store only if it has none") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path() / "home";
    REQUIRE(Home::create(path));
    auto home = Home::open(path);
    REQUIRE(home);
    REQUIRE(home->clear_fresh());
    CHECK_FALSE(home->ask_first());
    REQUIRE(home->mark_ask_first());
    CHECK(home->ask_first());
    CHECK(home->fresh());
    REQUIRE(home->clear_fresh());
    REQUIRE(home->clear_ask_first());
    CHECK_FALSE(home->ask_first());

    fs::create_directory(home->consensus());
    REQUIRE(home->mark_ask_first());
    CHECK(home->ask_first());
    CHECK_FALSE(home->fresh());
}

TEST_CASE("local file systems are not taken for network ones") {
    CHECK(network_file_system(fs::temp_directory_path()).empty());
    CHECK(network_file_system("/no/such/path").empty());
}
