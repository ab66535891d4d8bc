#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "storage/doctor.hpp"
#include "tools/output.hpp"

/// `monodon db`: what an operator does with the stores of one home. Each function is one command: it prints,
/// and gives the exit code.
namespace monodon::tools {

struct DbOptions {
    std::string home;
    /// Of the chain; empty: the one in the home.
    std::string genesis;
    /// `key=value`, over file and environment.
    std::vector<std::string> settings;
    Form form = Form::table;
};

/// Also beside a running node.
int db_stat(const DbOptions& options);
/// 65 if anything is damaged.
int db_check(const DbOptions& options);
/// What it finds, without a word. An error if the home is in use, or its genesis file or configuration cannot
/// be read. `observe` may be empty.
[[nodiscard]] Result<storage::CheckReport> look_at_home(const DbOptions& options,
                                                        storage::DoctorObserver observe);
int db_compact(const DbOptions& options);
int db_prune(const DbOptions& options);

struct DbBackupOptions : DbOptions {
    std::string destination;
    std::chrono::milliseconds time_limit = std::chrono::seconds(60);
};
/// Also beside a running node.
int db_backup(const DbBackupOptions& options);

// How they are told.
void print_stat(const storage::StatReport& report, Form form);
void print_check(const storage::CheckReport& report, Form form);
/// In one sentence: what the next start will do.
[[nodiscard]] std::string forecast_text(const storage::CheckReport& report);

}  // namespace monodon::tools
